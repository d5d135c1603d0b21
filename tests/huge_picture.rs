//! A picture with a text that is far longer than any tool writes.

/// A PNG file without texts, with a prompt of a million letters added: some more are refused.
pub fn huge_picture(silent: &[u8]) -> Vec<u8> {
    let mut chunk = b"tEXtparameters\0".to_vec();
    chunk.extend("cat, ".repeat(200_000).as_bytes());
    chunk.extend(b"\nSteps: 2, Sampler: Euler, Seed: 1");
    let mut bytes = silent[..33].to_vec();
    bytes.extend((chunk.len() as u32 - 4).to_be_bytes());
    bytes.extend(&chunk);
    bytes.extend(checksum(&chunk).to_be_bytes());
    bytes.extend(&silent[33..]);
    bytes
}

/// CRC-32 as PNG has it.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
