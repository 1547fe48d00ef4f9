//! The binary: everything is in the library.

fn main() -> std::process::ExitCode {
    let code = agentlua::cli::main();
    std::process::ExitCode::from(u8::try_from(code.rem_euclid(256)).unwrap_or(1))
}
