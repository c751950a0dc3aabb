//! System calls as `strace -x -v -s 1048576` writes them down.

use crate::Failure;

/// Calls by which bytes leave a process.
pub const SENDING: [&str; 12] = [
    "write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg",
    "sendfile", "splice", "tee", "vmsplice",
];

/// The name of the call that a line begins; `None` of one that ends a call, or tells of a
/// signal.
pub fn call(line: &str) -> Option<&str> {
    let (_, call) = line.split_once(' ')?;
    let (name, _) = call.trim_start().split_once('(')?;
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        .then_some(name)
}

/// All bytes in a line's strings, each string behind a line feed.
///
/// # Errors
/// One isn't whole.
pub fn bytes(line: &str) -> Result<Vec<u8>, Failure> {
    let mut rest = line.as_bytes();
    let mut bytes = Vec::new();
    while let Some(at) = rest.iter().position(|byte| *byte == b'"') {
        bytes.push(b'\n');
        rest = string(&rest[at + 1..], &mut bytes)?;
        if rest.starts_with(b"...") {
            return Err(format!("a string is cut short: {:.60}", line).into());
        }
    }
    Ok(bytes)
}

/// Adds the string that begins here; gives what is behind it.
fn string<'a>(mut text: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], Failure> {
    loop {
        text = match text {
            [b'"', rest @ ..] => return Ok(rest),
            [b'\\', b'x', high, low, rest @ ..] => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits)?, 16)?);
                rest
            }
            [b'\\', letter, rest @ ..] => {
                bytes.push(match letter {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 0x0b,
                    b'f' => 0x0c,
                    other => *other,
                });
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
            [] => return Err("a string does not end".into()),
        };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_as_they_were_sent() {
        let line = r#"12 writev(5, [{iov_base="a\"\\\n", iov_len=4}, {iov_base="\x00\xfe", iov_len=2}], 2 <unfinished ...>"#;
        assert_eq!(call(line), Some("writev"));
        assert_eq!(bytes(line).unwrap(), b"\na\"\\\n\n\x00\xfe");
        assert!(bytes(r#"12 write(1, "ab"..., 9) = 9"#).is_err());
        assert!(bytes(r#"12 write(1, "ab"#).is_err());
    }

    #[test]
    fn only_what_begins_a_call_is_one() {
        for line in [
            "12 <... write resumed>) = 5",
            "12 +++ exited with 0 +++",
            "12 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER} ---",
        ] {
            assert_eq!(call(line), None, "{line}");
        }
    }
}
