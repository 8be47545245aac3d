//! Text inside of text: what base64 hides, in UTF-8 or UTF-16.

/// Shorter runs hide no attack worth the time.
const SHORTEST: usize = 12;
/// Runs that hide as much as their first bytes do not say are left alone.
const PROBE: usize = 9;

/// Writes to `out`, which is empty then, what each run of base64 in `text` hides that looks like text, one a line.
pub(super) fn base64(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut at = 0;
    while at + SHORTEST <= text.len() {
        // A run that is long enough covers one of these places.
        let last = at + SHORTEST - 1;
        if SEXTETS[usize::from(text[last])] == NONE {
            at = last + 1;
            continue;
        }
        let run = &text[at..];
        match run[..SHORTEST].iter().rposition(|&byte| SEXTETS[usize::from(byte)] == NONE) {
            Some(gap) => at += gap + 1,
            None => {
                let length = run.iter().take_while(|&&byte| SEXTETS[usize::from(byte)] != NONE).count();
                decode(&run[..length], out);
                at += length;
            }
        }
    }
    !out.is_empty()
}

fn decode(run: &[u8], out: &mut Vec<u8>) {
    let mut probe = [0; PROBE];
    for (bytes, group) in probe.chunks_exact_mut(3).zip(run.chunks_exact(4)) {
        bytes.copy_from_slice(&group_of(group));
    }
    let wide = is_text(probe[0]) && probe.iter().skip(1).step_by(2).all(|&byte| byte == 0);
    if !wide && !probe.iter().copied().all(is_text) {
        return;
    }
    let start = out.len();
    for group in run.chunks(4) {
        // A last group of so many characters holds one byte less.
        let held = group.len().saturating_sub(1);
        out.extend(group_of(group).into_iter().take(held).filter(|&byte| byte != 0));
    }
    let written = &out[start..];
    let odd = written.iter().filter(|&&byte| !is_text(byte)).count();
    if odd * 8 > written.len() {
        out.truncate(start);
    } else {
        out.push(b'\n');
    }
}

fn group_of(group: &[u8]) -> [u8; 3] {
    let bits = (0..4).fold(0u32, |bits, index| {
        let sextet = group.get(index).map_or(0, |&byte| SEXTETS[usize::from(byte)]);
        bits << 6 | u32::from(sextet & 0x3f)
    });
    [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8]
}

const fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')
}

/// No digit of base64.
const NONE: u8 = 0xff;

/// The value of each digit, of both alphabets.
const SEXTETS: [u8; 256] = {
    let mut table = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        let byte = match value {
            0..=25 => b'A' + value,
            26..=51 => b'a' + value - 26,
            52..=61 => b'0' + value - 52,
            62 => b'+',
            _ => b'/',
        };
        table[byte as usize] = value;
        value += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hidden(text: &str) -> Option<String> {
        let mut out = Vec::new();
        base64(text.as_bytes(), &mut out).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn text_in_base64_is_found() {
        for (text, plain) in [
            ("PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "<script>alert(1)</script>\n"),
            ("see data:text/html;base64,PHNjcmlwdD5hbGVydA, and", "<script>alert\n"),
            ("dwBoAG8AYQBtAGkALgBlAHgAZQA=", "whoami.exe\n"),
            ("Li4vLi4vLi4vZXRjL3Bhc3N3ZA", "../../../etc/passwd\n"),
        ] {
            assert_eq!(hidden(text).as_deref(), Some(plain), "{text}");
        }
    }

    #[test]
    fn words_and_keys_hide_nothing() {
        for text in [
            "internationalization of telecommunications",
            "3f786850e387550fdab836ed7e6dc881de23001b",
            "https://example.com/assets/images/2024/summer-festival.jpg",
            "AAAAAAAAAAAAAAAAAAAAAAAA",
            "short",
        ] {
            assert_eq!(hidden(text), None, "{text}");
        }
    }
}
