//! The bytes of an answer and the times between them: where a fault does its harm.

use std::fmt;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;

use super::fault::{DRIP, Fault};
use super::out::{Frame, FrameKind};

/// Longer than any client waits.
const SILENCE: Duration = Duration::from_hours(1);
/// Long enough for what was written to leave before the connection drops.
const FLUSH: Duration = Duration::from_millis(20);

/// A step of sending.
#[derive(Debug)]
pub enum Piece {
    Bytes(Bytes),
    Wait(Duration),
    /// Drops the connection.
    Cut,
}

/// The error that makes the server drop a connection.
#[derive(Debug)]
struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stand-in drops the connection")
    }
}

impl std::error::Error for Dropped {}

/// Returns how to send one whole JSON body.
pub fn whole(json: &str, fault: Option<&Fault>) -> Vec<Piece> {
    let half = bytes(&json[..json.floor_char_boundary(json.len() / 2)]);
    match fault {
        Some(Fault::CutText | Fault::CutTool) => vec![half, Piece::Wait(FLUSH), Piece::Cut],
        Some(Fault::NoEnd | Fault::Garbage | Fault::ErrorEvent) => vec![half],
        Some(Fault::Silence) => vec![half, Piece::Wait(SILENCE), Piece::Cut],
        Some(Fault::Drip(count)) => drip(json, *count),
        _ => vec![bytes(json)],
    }
}

/// Returns how to send a stream; `error` is the event that says that it failed.
pub fn events(
    frames: &[Frame],
    fault: Option<&Fault>,
    pace: Duration,
    error: &Frame,
) -> Vec<Piece> {
    let middle = |wanted: FrameKind| {
        let places: Vec<usize> =
            (0..frames.len()).filter(|&index| frames[index].kind == wanted).collect();
        places.get(places.len() / 2).copied()
    };
    let in_text = middle(FrameKind::Text).or(middle(FrameKind::Arguments)).unwrap_or(1);
    let in_call = middle(FrameKind::Arguments).unwrap_or(in_text);
    let upto = |end: usize| joined(&frames[..end]);
    match fault {
        Some(Fault::CutText) => cut(&frames[..=in_text]),
        Some(Fault::CutTool) => cut(&frames[..=in_call]),
        Some(Fault::NoEnd) => {
            let open: Vec<Frame> =
                frames.iter().filter(|frame| frame.kind != FrameKind::End).cloned().collect();
            vec![bytes(&joined(&open))]
        }
        Some(Fault::ErrorEvent) => vec![bytes(&upto(in_text)), bytes(&error.text)],
        Some(Fault::Garbage) => {
            let (good, bad) = (upto(in_call), &frames[in_call].text);
            let bad = &bad[..bad.floor_char_boundary(bad.len() * 2 / 3)];
            let end = if bad.contains('\r') { "\r\n\r\n" } else { "\n\n" };
            vec![bytes(&format!("{good}{bad}{end}{}", joined(&frames[in_call + 1..])))]
        }
        Some(Fault::Silence) => {
            vec![bytes(&upto(in_text)), Piece::Wait(SILENCE), Piece::Cut]
        }
        Some(Fault::Drip(count)) => drip(&joined(frames), *count),
        _ if !pace.is_zero() => {
            let pause = pace / u32::try_from(frames.len()).unwrap_or(u32::MAX).max(1);
            let steps = |frame: &Frame| [bytes(&frame.text), Piece::Wait(pause)];
            frames.iter().flat_map(steps).collect()
        }
        _ => thirds(&joined(frames)),
    }
}

fn bytes(text: &str) -> Piece {
    Piece::Bytes(Bytes::copy_from_slice(text.as_bytes()))
}

fn joined(frames: &[Frame]) -> String {
    frames.iter().map(|frame| frame.text.as_str()).collect()
}

/// Sends all but the second half of the last frame, then drops the connection.
fn cut(frames: &[Frame]) -> Vec<Piece> {
    let sent = joined(frames);
    let half = frames.last().map_or(0, |frame| frame.text.len() / 2);
    let end = sent.floor_char_boundary(sent.len() - half);
    vec![bytes(&sent[..end]), Piece::Wait(FLUSH), Piece::Cut]
}

fn drip(text: &str, count: usize) -> Vec<Piece> {
    let count = count.min(text.len());
    let (slow, rest) = text.as_bytes().split_at(count);
    let one = |&byte: &u8| [Piece::Bytes(Bytes::copy_from_slice(&[byte])), Piece::Wait(DRIP)];
    let rest = Piece::Bytes(Bytes::copy_from_slice(rest));
    slow.iter().flat_map(one).chain([rest]).collect()
}

/// Splits where no event ends, also inside a character, as networks do.
fn thirds(text: &str) -> Vec<Piece> {
    let whole = Bytes::copy_from_slice(text.as_bytes());
    let third = (whole.len() / 3) | 1;
    let second = (third * 2).min(whole.len());
    [whole.slice(..third), whole.slice(third..second), whole.slice(second..)]
        .into_iter()
        .map(Piece::Bytes)
        .collect()
}

/// Makes the body; `guard` lives until it is sent or the client is gone.
pub fn body<G: Send + 'static>(pieces: Vec<Piece>, guard: G) -> Body {
    let state = (pieces.into_iter(), guard);
    Body::from_stream(stream::unfold(state, |(mut pieces, guard)| async move {
        loop {
            match pieces.next()? {
                Piece::Bytes(bytes) => {
                    // Lets the pieces before it leave on their own.
                    tokio::task::yield_now().await;
                    return Some((Ok(bytes), (pieces, guard)));
                }
                Piece::Wait(time) => tokio::time::sleep(time).await,
                Piece::Cut => return Some((Err(Dropped), (pieces, guard))),
            }
        }
    }))
}
