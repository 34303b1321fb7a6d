//! What identifies a database, a fork, a backup set? A uniqueidentifier, printed as SQL Server prints it.

use std::fmt;

/// A uniqueidentifier, bytes in the order they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// Reads 32 hexadecimal digits with or without hyphens and braces; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0_u8; 16];
        let mut digits = 0_usize;
        for c in text.trim().trim_start_matches('{').trim_end_matches('}').chars() {
            if c == '-' {
                continue;
            }
            let nibble = u8::try_from(c.to_digit(16)?).ok()?;
            let byte = bytes.get_mut(digits / 2)?;
            *byte = (*byte << 4) | nibble;
            digits += 1;
        }
        (digits == 32).then_some(Self(bytes))
    }
}

impl fmt::Display for Guid {
    /// Upper case, as SQL Server prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_reads() {
        let text = "ABAC134A-14B8-43C5-AC05-4E9C7703613E";
        assert_eq!(Guid::parse(text).unwrap().to_string(), text);
        assert_eq!(Guid::parse(&text.to_lowercase()), Guid::parse(text));
        for bad in
            ["", "ABAC", "ABAC134A-14B8-43C5-AC05-4E9C7703613E0", "zBAC134A-14B8-43C5-AC05-4E9C7703613E"]
        {
            assert_eq!(Guid::parse(bad), None, "{bad}");
        }
    }
}
