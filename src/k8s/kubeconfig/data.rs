//! Base64 as people and programs write it into kubeconfigs.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// As lenient as Go's `base64.StdEncoding`: bits that belong to no byte are not looked at.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// What base64 stands for. White space in it means nothing: `base64` wraps its lines.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    LENIENT.decode(packed).ok()
}
