//! Candidates of session descriptions (RFC 8839 §5.1), exchanged for a relay's.

use std::net::{IpAddr, SocketAddr};

const CANDIDATE: &str = "a=candidate:";

/// The first candidate that can be reached without a name: UDP, with a plain address.
pub(crate) fn first_candidate(sdp: &str) -> Option<SocketAddr> {
    sdp.lines().find_map(address)
}

/// `foundation component transport priority address port typ …`
fn address(line: &str) -> Option<SocketAddr> {
    let mut fields = line.strip_prefix(CANDIDATE)?.split_ascii_whitespace();
    let transport = fields.nth(2)?;
    let ip: IpAddr = fields.nth(1)?.parse().ok()?;
    let port: u16 = fields.next()?.parse().ok()?;
    (transport.eq_ignore_ascii_case("udp") && port != 0).then(|| SocketAddr::new(ip, port))
}

/// The same description with `relay` as its only candidate.
pub(crate) fn with_candidate(sdp: &str, relay: SocketAddr) -> String {
    // RFC 8445 §5.1.2: a host candidate of component 1.
    let own = format!(
        "{CANDIDATE}1 1 udp 2130706431 {} {} typ host",
        relay.ip(),
        relay.port()
    );
    let mut out = String::with_capacity(sdp.len());
    let mut put = false;
    for line in sdp.lines() {
        let line = match line.starts_with(CANDIDATE) {
            true if put => continue,
            true => {
                put = true;
                &own
            }
            false => line,
        };
        out.push_str(line);
        out.push_str("\r\n");
    }
    if !put {
        // A description without candidates has one section, which is the last thing in it.
        out.push_str(&own);
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_exchanged_for_the_relays() {
        let relay = SocketAddr::from(([127, 0, 0, 1], 4000));
        let own = "a=candidate:1 1 udp 2130706431 127.0.0.1 4000 typ host\r\n";
        let sdp = "v=0\r\nm=audio 9 X 1\r\na=candidate:1 1 udp 1 x.local 5 typ host\r\n\
            a=candidate:2 1 tcp 1 10.0.0.1 9 typ host\r\na=candidate:3 1 UDP 1 10.0.0.2 7 typ host\r\na=mid:0\r\n";
        let swapped = with_candidate(sdp, relay);
        assert_eq!(swapped, format!("v=0\r\nm=audio 9 X 1\r\n{own}a=mid:0\r\n"));
        assert_eq!(first_candidate(sdp), Some(([10, 0, 0, 2], 7).into()));
        assert_eq!(first_candidate(&swapped), Some(relay));
        assert_eq!(with_candidate("v=0\r\n", relay), format!("v=0\r\n{own}"));
        assert_eq!(first_candidate("v=0\r\na=candidate:x\r\n"), None);
    }
}
