//! In which order many branches are merged, so that as few as possible conflict.

use std::collections::HashMap;

use crate::error::Result;
use crate::git::conflict::conflicts;
use crate::git::repo::Repo;

/// Returns the places of `revs` in the order in which to merge them. Every pair is merged in memory
/// first. Next comes the branch that clashes with the fewest that are still to come, the first of
/// several; those that it clashes with wait until everybody else is through.
///
/// # Errors
/// [`crate::error::Kind::Git`] when a revision names no commit.
pub async fn order(repo: &Repo, revs: &[String]) -> Result<Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, rev) in revs.iter().enumerate() {
        places.entry(rev).or_default().push(place);
    }
    let mut pairs = Vec::new();
    for clash in conflicts(repo, revs).await? {
        for a in &places[&*clash.a] {
            pairs.extend(places[&*clash.b].iter().map(|b| (*a, *b)));
        }
    }
    Ok(fewest_first(revs.len(), &pairs))
}

fn fewest_first(count: usize, pairs: &[(usize, usize)]) -> Vec<usize> {
    let clash = |a: usize, b: usize| pairs.contains(&(a, b)) || pairs.contains(&(b, a));
    let mut open: Vec<usize> = (0..count).collect();
    let (mut ordered, mut waiting) = (Vec::new(), Vec::new());
    let fewest = |open: &[usize]| {
        let clashes = |a: &usize| open.iter().filter(|b| clash(*a, **b)).count();
        open.iter().copied().min_by_key(|a| clashes(a))
    };
    while let Some(next) = fewest(&open) {
        ordered.push(next);
        open.retain(|other| *other != next);
        waiting.extend(open.extract_if(.., |other| clash(next, *other)));
    }
    waiting.sort_unstable();
    ordered.extend(waiting);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_clashes_most_goes_last() {
        assert_eq!(fewest_first(3, &[]), [0, 1, 2]);
        // 0 clashes with everybody: it would keep three others out.
        assert_eq!(fewest_first(4, &[(0, 1), (0, 2), (0, 3)]), [1, 2, 3, 0]);
        // A chain: both ends can land.
        assert_eq!(fewest_first(3, &[(0, 1), (1, 2)]), [0, 2, 1]);
    }
}
