//! The rows of the page's table.

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A median of seconds, and what it is compared with.
pub(crate) fn row(what: &str, ours: f64, other: Option<(&str, f64)>) -> String {
    compared(what, ours, other, |seconds| format!("{seconds:.3} s"))
}

/// A number, and what it is compared with.
pub(crate) fn count(what: &str, ours: usize, other: Option<(&str, usize)>) -> String {
    let float = |number: usize| f64::from(u32::try_from(number).unwrap());
    compared(what, float(ours), other.map(|(name, theirs)| (name, float(theirs))), |number| {
        number.to_string()
    })
}

/// A number without a unit.
pub(crate) fn plain(what: &str, ours: f64) -> String {
    compared(what, ours, None, |number| format!("{number:.2}"))
}

fn compared(what: &str, ours: f64, other: Option<(&str, f64)>, show: impl Fn(f64) -> String) -> String {
    let (name, ratio) = other.map_or((String::from("-"), String::from("-")), |(name, theirs)| {
        (format!("{} ({name})", show(theirs)), format!("{:.2}", ours / theirs))
    });
    format!("| {what} | {} | {name} | {ratio} |\n", show(ours))
}
