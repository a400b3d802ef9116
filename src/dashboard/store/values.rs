//! Many rows in one statement. As `VALUES` with parameters: SQLite would read JSON twice for the same, and blobs not at all.

/// The most rows of one statement.
const MOST: usize = 256;

/// `rows` in parts whose lengths are powers of two: few different statements are prepared, and stay so.
pub(super) fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let len = 1 << rows.len().min(MOST).checked_ilog2()?;
        let (part, rest) = rows.split_at(len);
        rows = rest;
        Some(part)
    })
}

/// `VALUES (?,?),(?,?)…` for so many rows of so many columns.
pub(super) fn values(n_rows: usize, n_columns: usize) -> String {
    let mut text = String::with_capacity(8 + n_rows * (2 * n_columns + 2));
    text.push_str("VALUES ");
    for row in 0..n_rows {
        text.push_str(if row > 0 { ",(?" } else { "(?" });
        text.push_str(&",?".repeat(n_columns.saturating_sub(1)));
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_powers_of_two_and_leave_nothing_out() {
        for (n, expected) in [
            (0, vec![]),
            (1, vec![1]),
            (7, vec![4, 2, 1]),
            (256, vec![256]),
            (1000, vec![256, 256, 256, 128, 64, 32, 8]),
        ] {
            let rows: Vec<usize> = (0..n).collect();
            let lens: Vec<usize> = parts(&rows).map(<[_]>::len).collect();
            assert_eq!(lens, expected, "{n}");
            assert_eq!(parts(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        }
    }

    #[test]
    fn a_parameter_for_each_column_of_each_row() {
        assert_eq!(values(2, 3), "VALUES (?,?,?),(?,?,?)");
        assert_eq!(values(1, 1), "VALUES (?)");
    }
}
