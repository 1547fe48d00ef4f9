//! What a Lua function is known by when its run is resumed: a hash of its code.
//!
//! The code is what `string.dump` writes, without what only tells where the function stands: line numbers,
//! and for the function itself the registers of those around it that its upvalues were taken from. So a
//! line that is added above it changes nothing. What its upvalues hold is not looked at.

use mlua::prelude::*;

use crate::digest::digest;

/// Bytes before the function in a dump of Lua 5.4: signature, version, format, sizes, two numbers, and how
/// many upvalues there are.
const HEADER: usize = 32;

/// Returns the hash of a function's code; of one that is not written in Lua, the same for all.
pub(super) fn fingerprint(function: &LuaFunction) -> String {
    let dump = function.dump(true);
    if dump.is_empty() {
        return "native".to_owned();
    }
    let mut code = Vec::with_capacity(dump.len());
    let read = dump.get(HEADER..).map(|rest| Dump { rest, code: &mut code }.function(true));
    // What cannot be read is hashed as it is: it is no less exact, only less forgiving.
    digest(if read == Some(Some(())) { &code } else { &dump })
}

/// A dump that is read, and what of it counts.
struct Dump<'a> {
    rest: &'a [u8],
    code: &'a mut Vec<u8>,
}

impl Dump<'_> {
    /// Reads a function; `outermost` is the one that was dumped.
    fn function(&mut self, outermost: bool) -> Option<()> {
        self.string()?;
        // The lines where it begins and ends.
        self.skipped_number()?;
        self.skipped_number()?;
        self.bytes(3)?;
        let instructions = self.number()?;
        self.bytes(instructions.checked_mul(4)?)?;
        for _ in 0..self.number()? {
            self.constant()?;
        }
        for _ in 0..self.number()? {
            if outermost {
                self.taken(2)?;
                self.bytes(1)?;
            } else {
                self.bytes(3)?;
            }
        }
        for _ in 0..self.number()? {
            self.function(false)?;
        }
        // Line by line, long jumps between lines, local variables, upvalues: a stripped dump has none.
        for _ in 0..4 {
            (self.number()? == 0).then_some(())?;
        }
        Some(())
    }

    fn constant(&mut self) -> Option<()> {
        match self.bytes(1)?[0] {
            // Nil, false, true.
            0x00 | 0x01 | 0x11 => Some(()),
            // An integer, a float.
            0x03 | 0x13 => self.bytes(8).map(drop),
            // A short string, a long one.
            0x04 | 0x14 => self.string(),
            _ => None,
        }
    }

    fn string(&mut self) -> Option<()> {
        match self.number()?.checked_sub(1) {
            Some(length) => self.bytes(length).map(drop),
            None => Some(()),
        }
    }

    fn number(&mut self) -> Option<usize> {
        let (number, length) = self.peeked_number()?;
        self.bytes(length)?;
        Some(number)
    }

    fn skipped_number(&mut self) -> Option<()> {
        let (_, length) = self.peeked_number()?;
        self.taken(length).map(drop)
    }

    /// Numbers are seven bits to a byte, the last of which is marked.
    fn peeked_number(&self) -> Option<(usize, usize)> {
        let mut number = 0_usize;
        for (index, byte) in self.rest.iter().enumerate() {
            number = number.checked_mul(128)? | usize::from(byte & 0x7f);
            if byte & 0x80 != 0 {
                return Some((number, index + 1));
            }
        }
        None
    }

    fn bytes(&mut self, count: usize) -> Option<&[u8]> {
        let taken = self.rest.get(..count)?;
        self.rest = &self.rest[count..];
        self.code.extend_from_slice(taken);
        Some(taken)
    }

    /// Takes bytes that do not count.
    fn taken(&mut self, count: usize) -> Option<&[u8]> {
        let taken = self.rest.get(..count)?;
        self.rest = &self.rest[count..];
        Some(taken)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn of(source: &str) -> String {
        let lua = Lua::new();
        fingerprint(&lua.load(source).eval::<LuaFunction>().unwrap())
    }

    const PLAIN: &str = "local n, s = 1, 'x' return function(a) return a + n .. s, {1.5, nil} end";

    #[test]
    fn where_a_function_stands_does_not_count() {
        let plain = of(PLAIN);
        assert_eq!(plain, of(&format!("\n\n-- moved\nlocal another = 3\n{PLAIN}")));
        assert_eq!(
            plain,
            of(&PLAIN.replace("local n, s = 1", "local s, n = 2")),
            "nor what it has"
        );
        assert_ne!(plain, of(&PLAIN.replace("1.5", "1.25")));
        assert_ne!(plain, of(&PLAIN.replace("a + n", "a - n")));
    }

    #[test]
    fn functions_inside_count() {
        let inner = |text: &str| {
            format!(
                "local up = 1 return function() return function(x) return x .. '{text}', up end end"
            )
        };
        assert_eq!(of(&inner("a")), of(&format!("\n{}", inner("a"))));
        assert_ne!(of(&inner("a")), of(&inner("b")));
        assert_ne!(of(&inner("a")), of(PLAIN));
    }

    #[test]
    fn a_dump_is_read_to_its_end() {
        let lua = Lua::new();
        let function: LuaFunction = lua.load(PLAIN).eval().unwrap();
        let dump = function.dump(true);
        let mut code = Vec::new();
        let mut reading = Dump { rest: &dump[HEADER..], code: &mut code };
        assert_eq!(reading.function(true), Some(()));
        assert!(reading.rest.is_empty());
        assert_eq!(of("return print"), "native");
    }
}
