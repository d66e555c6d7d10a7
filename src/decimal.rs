//! JSON numbers by their decimal value: exact at any size, never through a float.

/// A number other than zero: `0.digits × 10^point`, without zeros at either end of the digits.
struct DecimalParts {
    negative: bool,
    digits: String,
    point: i64,
}

/// A JSON number as a whole number.
pub(crate) enum WholeNumber {
    /// It is this number.
    Is(i64),
    /// It is whole, but does not fit into `i64`.
    Beyond,
    /// It has a fraction.
    Not,
}

/// The most digits, zeros included, that are written without an exponent. The same as in JavaScript.
pub(crate) const PLAIN_DIGITS_MAX: usize = 21;

/// Whether a JSON number is whole, and which one.
pub(crate) fn whole(number: &str) -> WholeNumber {
    if let Some(value) = digits(number).or_else(|| number.parse().ok()) {
        return WholeNumber::Is(value);
    }
    let Some(parts) = DecimalParts::of(number) else {
        // The exponent is out of range.
        return if number.contains("e-") || number.contains("E-") {
            WholeNumber::Not
        } else {
            WholeNumber::Beyond
        };
    };
    let Some(DecimalParts {
        negative,
        mut digits,
        point,
    }) = parts
    else {
        return WholeNumber::Is(0);
    };
    let Ok(length) = usize::try_from(point) else {
        return WholeNumber::Not;
    };
    if length < digits.len() {
        return WholeNumber::Not;
    }
    if length > PLAIN_DIGITS_MAX {
        return WholeNumber::Beyond;
    }
    digits.extend(std::iter::repeat_n('0', length - digits.len()));
    if negative {
        digits.insert(0, '-');
    }
    digits.parse().map_or(WholeNumber::Beyond, WholeNumber::Is)
}

/// The value of a few digits, as times and counts have: any of them fit.
fn digits(number: &str) -> Option<i64> {
    const MOST: usize = 18;
    if number.len() > MOST {
        return None;
    }
    number.bytes().try_fold(0, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        Some(value * 10 + digit)
    })
}

/// Writes a JSON number so that equal values have the same text; `None` if its exponent is out of range.
pub(crate) fn write(number: &str, out: &mut String) -> Option<()> {
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let plain = unsigned.len() <= PLAIN_DIGITS_MAX && unsigned.bytes().all(|b| b.is_ascii_digit());
    if plain && unsigned != "0" {
        out.push_str(number);
        return Some(());
    }
    let Some(DecimalParts {
        negative,
        digits,
        point,
    }) = DecimalParts::of(number)?
    else {
        out.push('0');
        return Some(());
    };
    if negative {
        out.push('-');
    }
    let zeros = |n: usize| std::iter::repeat_n('0', n);
    match usize::try_from(point) {
        Ok(before @ 1..=PLAIN_DIGITS_MAX) if digits.len() <= PLAIN_DIGITS_MAX => {
            match digits.split_at_checked(before) {
                Some((whole, "")) => out.push_str(whole),
                Some((whole, fraction)) => out.extend([whole, ".", fraction]),
                None => {
                    out.push_str(&digits);
                    out.extend(zeros(before - digits.len()));
                }
            }
        }
        _ if (-5..=0).contains(&point) && digits.len() <= PLAIN_DIGITS_MAX => {
            out.push_str("0.");
            out.extend(zeros(usize::try_from(-point).unwrap_or_default()));
            out.push_str(&digits);
        }
        _ => {
            let (first, others) = digits.split_at_checked(1)?;
            out.push_str(first);
            if !others.is_empty() {
                out.extend([".", others]);
            }
            out.push_str(&format!("e{:+}", point - 1));
        }
    }
    Some(())
}

impl DecimalParts {
    /// `None`: the exponent is out of range. `Some(None)`: the number is zero.
    fn of(number: &str) -> Option<Option<DecimalParts>> {
        let (negative, unsigned) = match number.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, number),
        };
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        let led = all.trim_start_matches('0');
        let digits = led.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(None);
        }
        let leading = all.len() - led.len();
        let shift = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        let point = exponent.parse::<i64>().ok()?.checked_add(shift)?;
        // The limit is on the written exponent, not on the one that was read: what is written must be readable again.
        i32::try_from(point - 1).ok()?;
        Some(Some(DecimalParts {
            negative,
            digits,
            point,
        }))
    }
}
