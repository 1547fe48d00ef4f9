//! What a Lua function is known by when its run is resumed: a hash of its code, and of the plain values that
//! it has from around it, so that functions made by one line of a loop are told apart.
//!
//! The code is what `string.dump` writes, without what only tells where the function stands: line numbers,
//! and for the function itself the registers of those around it that its upvalues were taken from. So a
//! line that is added above it changes nothing. Of its upvalues strings, numbers, booleans and functions
//! count; tables do not. Nor does what the function itself assigns: it keeps count there of what has
//! happened, which in a resumed run happens no more.

use mlua::prelude::*;

use crate::digest::digest;

/// Bytes before the function in a dump of Lua 5.4: signature, version, format, sizes, two numbers, and how
/// many upvalues there are.
const HEADER: usize = 32;
/// The instruction that assigns an upvalue, of Lua 5.4, and the bits of an instruction that name one.
const SETUPVAL: u8 = 10;
const OPCODE: u8 = 0x7f;
/// How many functions deep upvalues are looked at, and how many in all.
const DEEPEST: usize = 8;
const MOST: usize = 256;

/// Reads functions.
pub(super) struct Reader {
    /// `debug.getupvalue`, which scripts do not have; without it only code counts.
    upvalue: Option<LuaFunction>,
}

impl Reader {
    /// Makes one with the kit of the prelude.
    pub(super) fn new(kit: &LuaTable) -> Self {
        Self { upvalue: kit.get("getupvalue").ok() }
    }

    /// Returns the hash of a function; of one that is not written in Lua, the same for all.
    pub(super) fn fingerprint(&self, function: &LuaFunction) -> String {
        let mut known = Vec::new();
        let mut written = Vec::new();
        self.write(function, 0, &mut known, &mut written);
        if written == NATIVE { "native".to_owned() } else { digest(&written) }
    }

    /// Writes down a function and what it has.
    fn write(
        &self,
        function: &LuaFunction,
        depth: usize,
        known: &mut Vec<*const std::ffi::c_void>,
        written: &mut Vec<u8>,
    ) {
        let pointer = function.to_pointer();
        if let Some(at) = known.iter().position(|known| *known == pointer) {
            written.extend_from_slice(format!("again {at}").as_bytes());
            return;
        }
        let info = function.info();
        let dump = function.dump(true);
        // What the upvalues of our own Lua hold is nothing of the script's.
        if dump.is_empty() || info.source.as_deref() == Some(super::runtime::OURS) {
            written.extend_from_slice(NATIVE);
            return;
        }
        if depth > DEEPEST || known.len() >= MOST {
            return;
        }
        known.push(pointer);
        let mut code = Vec::with_capacity(dump.len());
        let read = dump.get(HEADER..).map(|rest| Dump { rest, code: &mut code }.function(true));
        // What cannot be read is hashed as it is: it is no less exact, only less forgiving.
        let Some(Some(upvalues)) = read else {
            written.extend_from_slice(&dump);
            return;
        };
        part(written, b'f', &code);
        for (index, upvalue) in upvalues.iter().enumerate() {
            if !upvalue.is_assigned {
                self.write_upvalue(function, index + 1, depth, known, written);
            }
        }
    }

    fn write_upvalue(
        &self,
        function: &LuaFunction,
        index: usize,
        depth: usize,
        known: &mut Vec<*const std::ffi::c_void>,
        written: &mut Vec<u8>,
    ) {
        let Some(upvalue) = &self.upvalue else { return };
        let found: LuaResult<(LuaValue, LuaValue)> = upvalue.call((function, index));
        match found.map(|(_, value)| value) {
            Ok(LuaValue::Boolean(value)) => part(written, b'b', &[u8::from(value)]),
            Ok(LuaValue::Integer(value)) => part(written, b'i', &value.to_le_bytes()),
            Ok(LuaValue::Number(value)) => part(written, b'n', &value.to_bits().to_le_bytes()),
            Ok(LuaValue::String(value)) => part(written, b's', &value.as_bytes()),
            Ok(LuaValue::Function(value)) => self.write(&value, depth + 1, known, written),
            _ => part(written, b'-', &[]),
        }
    }
}

const NATIVE: &[u8] = b"native";

/// Writes something down so that where it ends is known.
fn part(written: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    written.push(kind);
    written.extend_from_slice(&bytes.len().to_le_bytes());
    written.extend_from_slice(bytes);
}

/// An upvalue of a function.
struct Upvalue {
    /// Whether the function, or one inside it, assigns it.
    is_assigned: bool,
    /// Which upvalue of the function around it is, if it is one.
    outer: Option<usize>,
}

/// A dump that is read, and what of it counts.
struct Dump<'a> {
    rest: &'a [u8],
    code: &'a mut Vec<u8>,
}

impl Dump<'_> {
    /// Reads a function; `outermost` is the one that was dumped. Returns its upvalues.
    fn function(&mut self, outermost: bool) -> Option<Vec<Upvalue>> {
        self.string()?;
        // The lines where it begins and ends.
        self.skipped_number()?;
        self.skipped_number()?;
        self.bytes(3)?;
        let instructions = self.number()?;
        let code = self.bytes(instructions.checked_mul(4)?)?;
        let is_assignment = |code: &&[u8]| code[0] & OPCODE == SETUPVAL;
        let sets: Vec<usize> =
            code.chunks_exact(4).filter(is_assignment).map(|code| usize::from(code[2])).collect();
        for _ in 0..self.number()? {
            self.constant()?;
        }
        let mut upvalues = Vec::new();
        for index in 0..self.number()? {
            let from = self.rest.get(..2)?;
            let outer = (from[0] == 0).then_some(usize::from(from[1]));
            upvalues.push(Upvalue { is_assigned: sets.contains(&index), outer });
            if outermost {
                self.taken(2)?;
                self.bytes(1)?;
            } else {
                self.bytes(3)?;
            }
        }
        for _ in 0..self.number()? {
            let inner = self.function(false)?;
            for outer in
                inner.iter().filter(|inner| inner.is_assigned).filter_map(|inner| inner.outer)
            {
                upvalues.get_mut(outer)?.is_assigned = true;
            }
        }
        // Line by line, long jumps between lines, local variables, upvalues: a stripped dump has none.
        for _ in 0..4 {
            (self.number()? == 0).then_some(())?;
        }
        Some(upvalues)
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
        #[expect(unsafe_code, reason = "the reader needs `debug`")]
        let lua = unsafe { Lua::unsafe_new() };
        let debug: LuaTable = lua.globals().get("debug").unwrap();
        Reader::new(&debug).fingerprint(&lua.load(source).eval::<LuaFunction>().unwrap())
    }

    const PLAIN: &str = "local n, s = 1, 'x' return function(a) return a + n .. s, {1.5, nil} end";

    #[test]
    fn where_a_function_stands_does_not_count() {
        let plain = of(PLAIN);
        assert_eq!(plain, of(&format!("\n\n-- moved\nlocal another = 3\n{PLAIN}")));
        assert_eq!(plain, of(&PLAIN.replace("local n, s = 1, 'x'", "local s, n = 'x', 1")));
        assert_ne!(plain, of(&PLAIN.replace("1.5", "1.25")));
        assert_ne!(plain, of(&PLAIN.replace("a + n", "a - n")));
    }

    #[test]
    fn what_it_has_from_around_it_counts() {
        let plain = of(PLAIN);
        assert_ne!(plain, of(&PLAIN.replace("= 1", "= 2")));
        assert_ne!(plain, of(&PLAIN.replace("= 1", "= 1.0")));
        assert_ne!(plain, of(&PLAIN.replace("'x'", "'y'")));
        assert_ne!(plain, of(&PLAIN.replace("'x'", "true")));
        let helped = |text: &str| {
            format!(
                "local t = '{text}' local function help() return t end return function() return help() end"
            )
        };
        assert_eq!(of(&helped("a")), of(&helped("a")));
        assert_ne!(of(&helped("a")), of(&helped("b")));
        let looped = "local function f(n) return n > 0 and f(n - 1) end return f";
        assert_eq!(of(looped), of(looped));
        let table = |held: &str| format!("local t = {held} return function() return t end");
        assert_eq!(of(&table("{}")), of(&table("{ 1 }")));
    }

    #[test]
    fn what_a_function_counts_does_not() {
        let counting = |from: u32| format!("local n = {from} return function() n = n + 1 end");
        assert_eq!(of(&counting(0)), of(&counting(7)));
        let inside = |from: u32| {
            format!("local n = {from} return function() return function() n = n + 1 end end")
        };
        assert_eq!(of(&inside(0)), of(&inside(7)));
        let helped = |from: u32| {
            format!("local n = {from} local function up() n = n + 1 end return function() up() end")
        };
        assert_eq!(of(&helped(0)), of(&helped(7)));
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
        assert!(reading.function(true).is_some());
        assert!(reading.rest.is_empty());
        assert_eq!(of("return print"), "native");
    }
}
