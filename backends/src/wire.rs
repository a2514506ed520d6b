//! What is said between hostmem and a subject in a process of its own: frames of bytes.
//!
//! A frame is a length in four bytes and that many bytes; numbers are little-endian, texts and
//! lists carry their length. The format is private: both ends are the same build, so there is
//! no version in it. A reader believes nothing: whatever does not decode exactly is
//! [`Garbage`], never a panic, and never an allocation larger than the frame.
//!
//! Map: [`Request`] and [`Response`] are the messages, [`write_frame`] and [`read_frame`]
//! their way through a pipe; `call` and `reply` hold the words.
//!
//! Deliberately not here: processes and time limits (`com::backend`), and any public
//! protocol (that of agents is text).

mod bytes;
mod call;
mod reply;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};

use hostmem_interface::{Call, Description, OpenError, Reply};

pub use bytes::Garbage;
use bytes::{Reader, Writer};

/// No frame is longer: accesses are limited to 64 MiB.
const LONGEST: u32 = 80 << 20;

/// What the subject's process is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Carry out a call.
    Call(Call),
    /// Look for contradictions.
    Checkpoint,
    /// Tell of blocks that are not freed.
    Leaks,
    /// Give everything back, and tell what was not.
    Close,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// The first message, unasked: what it is, or why it cannot be opened.
    Hello(Result<Description, OpenError>),
    /// The reply to a call.
    Reply(Reply),
    /// What a checkpoint found.
    Checked(Result<(), String>),
    /// What was found, one line each.
    Listed(Vec<String>),
}

/// The request with the number under which the answer comes back, and the caller's lane:
/// requests of one lane are carried out in order on a thread of its own.
#[must_use]
pub fn encode_request(number: u64, lane: u32, request: &Request) -> Vec<u8> {
    let mut out = Writer::default();
    out.u64(number);
    out.u32(lane);
    match request {
        Request::Call(it) => {
            out.u8(0);
            call::write(&mut out, it);
        }
        Request::Checkpoint => out.u8(1),
        Request::Close => out.u8(2),
        Request::Leaks => out.u8(3),
    }
    out.finish()
}

/// The inverse of [`encode_request`].
///
/// # Errors
/// If it is no request.
pub fn decode_request(bytes: &[u8]) -> Result<(u64, u32, Request), Garbage> {
    let mut from = Reader::new(bytes);
    let (number, lane) = (from.u64()?, from.u32()?);
    let request = match from.u8()? {
        0 => Request::Call(call::read(&mut from)?),
        1 => Request::Checkpoint,
        2 => Request::Close,
        3 => Request::Leaks,
        _ => return Err(Garbage("kind of request")),
    };
    from.end()?;
    Ok((number, lane, request))
}

/// The response to the request of that number; 0 for the first message.
#[must_use]
pub fn encode_response(number: u64, response: &Response) -> Vec<u8> {
    let mut out = Writer::default();
    out.u64(number);
    match response {
        Response::Hello(it) => {
            out.u8(0);
            reply::write_hello(&mut out, it);
        }
        Response::Reply(it) => {
            out.u8(1);
            reply::write(&mut out, it);
        }
        Response::Checked(Ok(())) => out.u8(2),
        Response::Checked(Err(why)) => {
            out.u8(3);
            out.text(why);
        }
        Response::Listed(lines) => {
            out.u8(4);
            out.list(lines, |out, line| out.text(line));
        }
    }
    out.finish()
}

/// The inverse of [`encode_response`].
///
/// # Errors
/// If it is no response.
pub fn decode_response(bytes: &[u8]) -> Result<(u64, Response), Garbage> {
    let mut from = Reader::new(bytes);
    let number = from.u64()?;
    let response = match from.u8()? {
        0 => Response::Hello(reply::read_hello(&mut from)?),
        1 => Response::Reply(reply::read(&mut from)?),
        2 => Response::Checked(Ok(())),
        3 => Response::Checked(Err(from.text()?)),
        4 => Response::Listed(from.list(Reader::text)?),
        _ => return Err(Garbage("kind of response")),
    };
    from.end()?;
    Ok((number, response))
}

/// Sends a frame.
///
/// # Errors
/// If the pipe is closed.
pub fn write_frame(to: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| io::Error::other("a message too long for a frame"))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(bytes)?;
    to.flush()
}

/// Receives a frame; `None` at the end of the stream.
///
/// # Errors
/// If the stream ends within a frame, or the length is none.
pub fn read_frame(from: &mut dyn Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read(&mut length[..1])? {
        0 => return Ok(None),
        _ => from.read_exact(&mut length[1..])?,
    }
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::Error::other(format!("a frame of {length} bytes")));
    }
    // Grows with what really comes, so that a lying length costs nothing.
    let mut bytes = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != u64::from(length) {
        return Err(io::Error::other("the end of the stream within a frame"));
    }
    Ok(Some(bytes))
}
