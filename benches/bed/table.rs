//! Rows of figures and what they were measured on.

use std::fmt::Write as _;

use crate::cost::Cost;

/// A contender and what its runs took.
pub struct Row {
    name: &'static str,
    /// In the order of the rounds.
    pub runs: Vec<Cost>,
}

impl Row {
    /// Makes a row without runs.
    pub fn new(name: &'static str) -> Self {
        Self { name, runs: Vec::new() }
    }

    /// Adds a run.
    pub fn add(&mut self, cost: Cost) {
        self.runs.push(cost);
    }

    /// Returns the median of a figure.
    pub fn median(&self, figure: impl Fn(&Cost) -> f64) -> f64 {
        let sorted = self.sorted(figure);
        sorted[sorted.len() / 2]
    }

    fn sorted(&self, figure: impl Fn(&Cost) -> f64) -> Vec<f64> {
        let mut figures: Vec<f64> = self.runs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures
    }
}

/// Returns the median of ratios, and from where to where they go.
pub fn spread(ratios: impl Iterator<Item = f64>) -> String {
    let mut ratios: Vec<f64> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
    format!("median {:.2} (from {least:.2} to {most:.2})", ratios[ratios.len() / 2])
}

/// Prints a suite; ratios are to the second row.
#[expect(clippy::print_stdout, reason = "the table")]
pub fn print(title: &str, rows: &[Row]) {
    println!("### {title}\n");
    println!("| what | wall s, median (min) | CPU s, median (min) | peak MiB | stand-in CPU s |");
    println!("|---|---|---|---|---|");
    for row in rows {
        let wall = row.sorted(|cost| cost.wall);
        let cpu = row.sorted(|cost| cost.cpu);
        println!(
            "| {} | {:.4} ({:.4}) | {:.4} ({:.4}) | {:.0} | {:.2} |",
            row.name,
            wall[wall.len() / 2],
            wall[0],
            cpu[cpu.len() / 2],
            cpu[0],
            row.median(|cost| cost.peak),
            row.median(|cost| cost.standin),
        );
    }
    let (ours, other) = (&rows[0], &rows[1]);
    let ratio = |figure: fn(&Cost) -> f64| ours.median(figure) / other.median(figure);
    println!(
        "\n{} takes {:.2} of the wall, {:.2} of the CPU, {:.2} of the memory of {}\n",
        ours.name,
        ratio(|cost| cost.wall),
        ratio(|cost| cost.cpu),
        ratio(|cost| cost.peak),
        other.name,
    );
}

/// Returns what the figures were measured on.
pub fn machine(binary: &str) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("unknown");
    let said = |program: &str| {
        let output = std::process::Command::new(program).arg("--version").output();
        output.map_or_else(
            |_| format!("no {program}"),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    let size = std::fs::metadata(binary).map_or(0, |file| file.len());
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{cores} cores of {}, load {load} at the start; {}, node {}; the binary has {:.1} MB\n",
        cpu.trim_start_matches([' ', '\t', ':']),
        said("git"),
        said("node"),
        size as f64 / 1e6,
    );
    text
}
