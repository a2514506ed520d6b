//! Times, and what is made of them: medians, and the exponent of growth.
//!
//! Contestants take turns round by round, so that a drift of the machine falls on all alike; a
//! median over short chunks leaves out what the machine did besides. Time is the thread's own
//! processor time, the kernel's work for it included: others who use the machine do not count.
//! Only ratios of two figures of one run mean anything.

use std::time::{Duration, Instant};

use cpu_time::{ProcessTime, ThreadTime};

/// Nanoseconds of processor time that something takes on this thread.
pub fn time(run: impl FnOnce()) -> f64 {
    let start = ThreadTime::now();
    run();
    nanoseconds(start.elapsed())
}

/// Nanoseconds of processor time that something takes on all threads.
pub fn process_time(run: impl FnOnce()) -> f64 {
    let start = ProcessTime::now();
    run();
    nanoseconds(start.elapsed())
}

/// Nanoseconds on the wall: of what is too short for the other clock, or on several threads.
pub fn wall_time(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    nanoseconds(start.elapsed())
}

/// A duration in nanoseconds.
#[must_use]
pub fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// The middle one; not a number if there is none.
#[must_use]
pub fn median(samples: &[f64]) -> f64 {
    quantile(samples, 50)
}

/// The one that so many percent are not above.
#[must_use]
pub fn quantile(samples: &[f64], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// The exponent `e` for which cost grows as size to the power of `e`: the slope of the straight
/// line through the logarithms.
#[must_use]
pub fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|it| it.0), mean(|it| it.1));
    let along: f64 = logs.iter().map(|it| (it.0 - x) * (it.1 - y)).sum();
    let square: f64 = logs.iter().map(|it| (it.0 - x).powi(2)).sum();
    along / square
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_of_a_power_is_found() {
        let points = [(100.0, 3e1), (10_000.0, 3e2), (1_000_000.0, 3e3)];
        assert!((exponent(&points) - 0.5).abs() < 1e-9);
        assert!(exponent(&[(1.0, 7.0), (100.0, 7.0)]).abs() < 1e-9);
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(&[9.0, 1.0, 3.0]) - 3.0).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }
}
