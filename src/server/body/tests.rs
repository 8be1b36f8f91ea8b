//! Bodies up to the limit are taken whole, however they come; what is too large, no gzip or half of it is
//! refused as what it is.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::Frame;

use super::*;
use crate::server::budget::Budget;

/// A body that comes in these pieces and does not announce its length.
struct Pieces(VecDeque<&'static str>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece.into()))))
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

async fn read(bytes: Vec<u8>, encoding: Encoding, limit: usize) -> Result<Bytes, BodyError> {
    let bounds = Bounds { bytes: limit, time: GRACE };
    read_within(Full::new(Bytes::from(bytes)), encoding, bounds, &mut Budget::new(1 << 30).held()).await
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    assert_eq!(read(vec![b'x'; 100], Encoding::Identity, 100).await.unwrap().len(), 100);
    let over = read(vec![b'x'; 101], Encoding::Identity, 100).await;
    assert_eq!(over, Err(BodyError::TooLarge { limit: 100 }));
    assert_eq!(read(gzip(&[b'x'; 100]), Encoding::Gzip, 100).await.unwrap().len(), 100);
    let over = read(gzip(&[b'x'; 101]), Encoding::Gzip, 100).await;
    assert_eq!(over, Err(BodyError::TooLargeUnpacked { limit: 100 }));
}

#[tokio::test]
async fn pieces_are_put_together_in_order() {
    let read = async |pieces: &[&'static str], limit: usize| {
        let body = Pieces(pieces.iter().copied().collect());
        let bounds = Bounds { bytes: limit, time: GRACE };
        read_within(body, Encoding::Identity, bounds, &mut Budget::new(1 << 30).held()).await
    };
    assert_eq!(read(&[], 9).await.unwrap(), "");
    assert_eq!(read(&["", "abc", "", "d", "efghi"], 9).await.unwrap(), "abcdefghi");
    assert_eq!(read(&["abc", "d", "efghij"], 9).await, Err(BodyError::TooLarge { limit: 9 }));
    assert_eq!(read(&["abcdefghijklm", "n"], 9).await, Err(BodyError::TooLarge { limit: 9 }));
    assert_eq!(read(&["0123456789"; 9], 9).await, Err(BodyError::TooLarge { limit: 9 }));
}

#[tokio::test]
async fn a_bomb_is_not_unpacked_beyond_the_limit() {
    let bomb = gzip(&vec![0; 32 * 1024 * 1024]);
    assert!(bomb.len() < 64 * 1024, "a bomb of {} bytes", bomb.len());
    assert_eq!(
        read(bomb, Encoding::Gzip, 64 * 1024).await,
        Err(BodyError::TooLargeUnpacked { limit: 65536 })
    );
}

#[tokio::test]
async fn what_is_no_gzip_or_only_half_of_it_is_said_to_be_so() {
    let whole = gzip(b"{\"alerts\":[]}");
    assert_eq!(read(whole.clone(), Encoding::Gzip, 100).await.unwrap(), "{\"alerts\":[]}");
    assert_eq!(read(b"{}".to_vec(), Encoding::Gzip, 100).await, Err(BodyError::Unpackable));
    let half = whole[..whole.len() - 9].to_vec();
    assert_eq!(read(half, Encoding::Gzip, 100).await, Err(BodyError::Unpackable));
}

#[test]
fn only_plain_and_gzip_once_are_understood() {
    let of = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, value.parse().unwrap());
        Encoding::of(&headers)
    };
    assert_eq!(Encoding::of(&HeaderMap::new()), Ok(Encoding::Identity));
    assert_eq!(of("identity"), Ok(Encoding::Identity));
    assert_eq!(of("GZip"), Ok(Encoding::Gzip));
    for refused in ["br", "zstd", "deflate", "gzip, gzip", "gzip, br"] {
        assert_eq!(of(refused), Err(BodyError::Encoding), "{refused}");
    }
}
