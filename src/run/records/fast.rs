//! Nearly all records count something (98 of 100 in a large build). They are always written the same way, and read without
//! looking at more than their numbers; what is written another way takes the long way.

use crate::run::records::{Record, result};

/// `{"action":"result","fields":[1,10,1,0],"id":40935333298201,"type":105}`, the same with two fields and type 106, and
/// `{"action":"stop","id":40935333298201}`, as nlohmann's JSON library writes them: keys sorted, no blanks.
pub(super) fn parse(json: &[u8]) -> Option<Record<'_>> {
    if let Some(rest) = json.strip_prefix(br#"{"action":"result","fields":["#) {
        return of_result(rest);
    }
    let rest = json.strip_prefix(br#"{"action":"stop","id":"#)?;
    let (id, rest) = number(rest)?;
    (rest == b"}").then_some(Record::Stop { id })
}

fn of_result(rest: &[u8]) -> Option<Record<'_>> {
    let mut numbers = [0; 4];
    let mut count = 0;
    let mut rest = rest;
    loop {
        let (value, behind) = number(rest)?;
        *numbers.get_mut(count)? = value;
        count += 1;
        let (first, behind) = behind.split_first()?;
        rest = behind;
        match first {
            b',' => {}
            b']' => break,
            _ => return None,
        }
    }
    let (id, rest) = number(rest.strip_prefix(br#","id":"#)?)?;
    let (kind, rest) = number(rest.strip_prefix(br#","type":"#)?)?;
    if rest != b"}" {
        return None;
    }
    match (kind, count) {
        (result::PROGRESS, 4) => Some(Record::Progress { id, numbers }),
        (result::SET_EXPECTED, 2) => Some(Record::Expected {
            id,
            kind: numbers[0],
            amount: numbers[1],
        }),
        _ => None,
    }
}

/// The number that the bytes begin with; none where it does not fit.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value: u64 = 0;
    let mut len = 0;
    while let Some(digit @ b'0'..=b'9') = bytes.get(len) {
        value = value
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))?;
        len += 1;
    }
    // JSON knows no leading zeros; the long way refuses them.
    if len == 0 || (len > 1 && bytes[0] == b'0') {
        return None;
    }
    Some((value, &bytes[len..]))
}
