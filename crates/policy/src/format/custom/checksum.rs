//! Checksums by their names. They find mistakes, and keep nobody from changing a message.

use super::program::Algorithm;

impl Algorithm {
    /// How many bytes it has.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Crc32 => 4,
            Self::Crc16Modbus | Self::Crc16Ccitt => 2,
            Self::Sum8 | Self::Xor8 => 1,
        }
    }

    /// The checksum of these bytes.
    pub(super) fn of(self, bytes: &[u8]) -> u32 {
        match self {
            Self::Crc32 => crc32fast::hash(bytes),
            Self::Crc16Modbus => u32::from(bytes.iter().fold(0xffff, modbus)),
            Self::Crc16Ccitt => u32::from(bytes.iter().fold(0xffff, ccitt)),
            Self::Sum8 => u32::from(bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte))),
            Self::Xor8 => u32::from(bytes.iter().fold(0_u8, |sum, byte| sum ^ byte)),
        }
    }
}

fn modbus(crc: u16, byte: &u8) -> u16 {
    (0..8).fold(crc ^ u16::from(*byte), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xa001 })
}

fn ccitt(crc: u16, byte: &u8) -> u16 {
    let step = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
    (0..8).fold(crc ^ u16::from(*byte) << 8, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values that the algorithms are known by.
    #[test]
    fn the_usual_text_has_the_usual_checksums() {
        for (algorithm, expected) in [
            (Algorithm::Crc32, 0xcbf4_3926),
            (Algorithm::Crc16Modbus, 0x4b37),
            (Algorithm::Crc16Ccitt, 0x29b1),
            (Algorithm::Sum8, 0xdd),
            (Algorithm::Xor8, 0x31),
        ] {
            assert_eq!(algorithm.of(b"123456789"), expected, "{algorithm:?}");
        }
    }
}
