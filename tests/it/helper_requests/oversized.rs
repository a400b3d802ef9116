//! Requests that are too long or too deep.

use nixfleet::agent::helper::MAX_REQUEST;

/// Adds them. Those within the limit are no requests either.
pub fn oversized(all: &mut Vec<Vec<u8>>) {
    for filler in [b' ', b'a', b'[', b'{', 0, 0xff] {
        all.push(vec![filler; MAX_REQUEST + 1]);
    }
    let mut padded = b"{\"request\":\"offer\"".to_vec();
    padded.resize(MAX_REQUEST, b' ');
    padded.extend_from_slice(b"}\n");
    all.push(padded);
    all.push(vec![b'x'; 1 << 20]);
    // Deep within the limit: what reads it must not run out of stack or memory.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = MAX_REQUEST / (open.len() + close.len()) - 20;
        for depth in [130, deep] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            all.push(nested.clone().into_bytes());
            all.push(format!("{{\"request\":{nested}}}").into_bytes());
            all.push(format!("{{\"request\":\"start\",\"run\":{nested}}}").into_bytes());
        }
    }
    let many = "[],".repeat(MAX_REQUEST / 3 - 20);
    all.push(format!("{{\"request\":\"start\",\"run\":[{many}[]]}}").into_bytes());
    all.push(format!("{{\"request\":\"{}\"}}", "\\n".repeat(MAX_REQUEST / 2 - 20)).into_bytes());
}
