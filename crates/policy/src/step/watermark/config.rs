//! `watermark` as it is written in the configuration.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems, RawSecret, Size};
use wicketgate_watermark::{Font, Key, Limits, Look, Placement, Quality, Strength, Visible};

use super::template::Template;
use super::{Settings, Watermark};
use crate::fields::Path;

/// What pictures are marked with that messages carry: PNG, JPEG and WebP, in values of bytes and in texts in base64, also in
/// `data:` URLs. It has `visible`, `invisible`, or both. Nothing may be changed behind it: it is the last step of its
/// direction. A picture that cannot be marked (it cannot be decoded, is animated, has something behind its end or is over
/// a limit) is what `then` speaks of, and so is one that finds no room or time in `limits.pictures`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawWatermark {
    /// The fields that are pictures, with all that is in them; at most 200. Texts are pictures only here. Default: all
    /// values of bytes.
    paths: Option<At<OneOrMany<At<String>>>>,
    /// What becomes of values that do not begin as a PNG, JPEG or WebP does. Default: `refuse`.
    others: RawOthers,
    /// A line of text that everybody sees.
    visible: Option<At<RawVisible>>,
    /// A mark that only its key finds: `wicketgate watermark read`. It holds 64 bits that stand for the session; the finding
    /// `watermarked` of its first picture tells them.
    invisible: Option<At<RawInvisible>>,
    /// How well JPEG and WebP are encoded anew, 1 to 100. WebP is always encoded with loss. Default: 90.
    quality: Option<At<u8>>,
    /// The size of one picture's file, as it comes and as it goes, 1KiB to 64MiB. Default: 8MiB.
    max_size: Option<At<Size>>,
    /// Pixels of one picture, 1 to 100000000. Memory: 32 bytes a pixel while it is worked on. Default: 16000000.
    max_pixels: Option<At<u64>>,
    /// Bytes of one picture's file that are not its pixels, as EXIF, XMP and colour profiles, up to 16MiB. Only the colour
    /// profile of a PNG or JPEG goes on. Default: 256KiB.
    max_metadata: Option<At<Size>>,
    /// Pictures of one message, 1 to 64. Default: 4.
    max_pictures: Option<At<u32>>,
}

/// What becomes of values that do not begin as a picture does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RawOthers {
    /// They do not pass.
    #[default]
    Refuse,
    /// They pass as they came, also pictures of other formats.
    Pass,
}

/// A line of text that everybody sees, with a shadow in the opposite colour.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawVisible {
    /// The text, in which `{subject}`, `{session}`, `{time}`, `{address}` and `{route}` stand for what is known; what is not is
    /// `-`. At most 160 characters are drawn.
    text: Option<At<String>>,
    /// The font's file, OpenType or TrueType, of at most 32MiB. Characters that it lacks are drawn as it draws those.
    font: Option<At<PathBuf>>,
    /// Where it stands. Default: `tiled`.
    placement: RawPlacement,
    /// The font's size in parts of a hundred of the picture's shorter side, 1 to 50. It is smaller where the text would not
    /// fit. Default: 5.
    size: Option<At<u8>>,
    /// How much of the picture it covers, in parts of a hundred, 1 to 100. Default: 30.
    opacity: Option<At<u8>>,
    /// How it is turned against the clock, in degrees, -90 to 90. Default: 0.
    angle: Option<At<i16>>,
    /// Its colour, as in `ffffff`. Default: white.
    color: Option<At<String>>,
}

/// Where text stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RawPlacement {
    /// All over the picture.
    #[default]
    Tiled,
    /// In the middle.
    Center,
    /// In this corner.
    TopLeft,
    /// In this corner.
    TopRight,
    /// In this corner.
    BottomLeft,
    /// In this corner.
    BottomRight,
}

/// A mark that only its key finds.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawInvisible {
    /// The key, of at least 32 characters: `wicketgate watermark keygen` makes one. Whoever has it can find marks and make them.
    key: Option<At<RawSecret>>,
    /// How far the mark stays below a full signal (PSNR), in dB, 36 to 48: less is found again after worse. Default: 39.
    strength: Option<At<u8>>,
}

/// The most paths.
const MAX_PATHS: usize = 200;
/// The longest font, in bytes.
const MAX_FONT: u64 = 32 << 20;
/// The shortest key, in characters.
const MIN_KEY: usize = 32;

/// Checks the values; what is wrong goes to `problems`.
pub(crate) fn check(
    At { value: raw, place }: At<RawWatermark>,
    problems: &mut Problems,
) -> Option<Watermark> {
    if raw.visible.is_none() && raw.invisible.is_none() {
        let what = "it is not said what pictures are marked with";
        problems.error(place, what, "add `visible:`, `invisible:`, or both");
    }
    let paths = raw.paths.map(|paths| Path::check_list(paths, MAX_PATHS, problems)).unwrap_or_default();
    let size = problems.in_range(
        "max_size",
        &raw.max_size.unwrap_or(At::nowhere(Size(8 << 20))),
        Size(1 << 10)..=Size(64 << 20),
    );
    let pixels = raw.max_pixels.unwrap_or(At::nowhere(16_000_000));
    let metadata = raw.max_metadata.unwrap_or(At::nowhere(Size(256 << 10)));
    let limits = Limits {
        size: size.0 as usize,
        pixels: problems.in_range("max_pixels", &pixels, 1..=100_000_000),
        metadata: problems.in_range("max_metadata", &metadata, Size(0)..=Size(16 << 20)).0 as usize,
    };
    let quality = raw.quality.unwrap_or(At::nowhere(90));
    let most = raw.max_pictures.unwrap_or(At::nowhere(4));
    let quality = Quality(problems.in_range("quality", &quality, 1..=100));
    let most = problems.in_range("max_pictures", &most, 1..=64) as usize;
    let visible = match raw.visible {
        Some(visible) => Some(check_visible(visible, problems)?),
        None => None,
    };
    let invisible = match raw.invisible {
        Some(invisible) => Some(check_invisible(invisible, problems)?),
        None => None,
    };
    let passes_others = raw.others == RawOthers::Pass;
    Some(Watermark(Arc::new(Settings { paths, passes_others, visible, invisible, quality, limits, most })))
}

fn check_visible(
    At { value: raw, place }: At<RawVisible>,
    problems: &mut Problems,
) -> Option<(Visible, Template)> {
    let size = problems.in_range("size", &raw.size.unwrap_or(At::nowhere(5)), 1..=50);
    let opacity = problems.in_range("opacity", &raw.opacity.unwrap_or(At::nowhere(30)), 1..=100);
    let angle = problems.in_range("angle", &raw.angle.unwrap_or(At::nowhere(0)), -90..=90);
    let color = match &raw.color {
        Some(color) => check_color(color, problems)?,
        None => [255; 3],
    };
    let placement = match raw.placement {
        RawPlacement::Tiled => Placement::Tiled,
        RawPlacement::Center => Placement::Center,
        RawPlacement::TopLeft => Placement::TopLeft,
        RawPlacement::TopRight => Placement::TopRight,
        RawPlacement::BottomLeft => Placement::BottomLeft,
        RawPlacement::BottomRight => Placement::BottomRight,
    };
    let Some(text) = raw.text.filter(|text| !text.value.trim().is_empty()) else {
        problems.error(place, "`visible` has no text", "add `text: \"{subject} {time}\"`");
        return None;
    };
    let template = match Template::new(&text.value) {
        Ok(template) => template,
        Err(unknown) => {
            let what = format!("`{unknown}` stands for nothing that is known");
            problems.error(text.place, what, format!("there are {}", Template::NAMES));
            return None;
        }
    };
    let Some(font) = raw.font else {
        let help = "add `font: /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf`, or another font's path";
        problems.error(place, "`visible` has no font", help);
        return None;
    };
    let font = check_font(&font, problems)?;
    Some((Visible { font, look: Look { placement, size, opacity, angle, color } }, template))
}

fn check_font(path: &At<PathBuf>, problems: &mut Problems) -> Option<Font> {
    let mut file = Vec::new();
    let read = File::open(&path.value).and_then(|open| open.take(MAX_FONT + 1).read_to_end(&mut file));
    let why = match read {
        Err(error) => error.to_string(),
        Ok(_) if file.len() as u64 > MAX_FONT => format!("it is larger than {}", Size(MAX_FONT)),
        Ok(_) => match Font::new(file) {
            Ok(font) => return Some(font),
            Err(error) => error.to_string(),
        },
    };
    let what = format!("the font cannot be used: {}: {why}", path.value.display());
    problems.error(path.place, what, "name an OpenType or TrueType font that the gateway may read");
    None
}

fn check_color(color: &At<String>, problems: &mut Problems) -> Option<[u8; 3]> {
    let digits = color.value.trim_start_matches('#');
    let is_one = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    match u32::from_str_radix(digits, 16) {
        Ok(number) if is_one => {
            let [_, r, g, b] = number.to_be_bytes();
            Some([r, g, b])
        }
        _ => {
            let what = format!("`{}` is no colour", color.value);
            problems.error(color.place, what, "write red, green and blue: \"ffcc00\"");
            None
        }
    }
}

fn check_invisible(
    At { value: raw, place }: At<RawInvisible>,
    problems: &mut Problems,
) -> Option<(Key, Strength)> {
    let strength = raw.strength.unwrap_or(At::nowhere(Strength::DEFAULT.in_decibels()));
    let strength = Strength::decibels(problems.in_range("strength", &strength, Strength::RANGE));
    let Some(key) = raw.key else {
        problems.error(
            place,
            "`invisible` has no key",
            "add `key: {file: PATH}`; `wicketgate watermark keygen` makes one",
        );
        return None;
    };
    let secret = RawSecret::check(key, "the key", MIN_KEY, problems)?;
    Some((Key::new(secret.reveal().as_bytes()), strength))
}
