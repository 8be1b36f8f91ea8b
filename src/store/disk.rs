//! The room on the disk of the store: how much is free, whether that is too little to take calls
//! in, and a reserve for bad times.
//!
//! The reserve is a file that holds nothing. When the disk is full to the last byte it is removed,
//! so that what is owed can still be delivered and written down, and the relay can start; when
//! there is room again it is put back. Whether there is room is looked up once in a while, never
//! for a call.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

const FILE: &str = "reserve";
/// Size of the reserve: the write-ahead log at its largest, and attempts of some ten thousand
/// deliveries. Where less is to be left free, that much.
const RESERVE: u64 = 16 << 20;
/// Of what is to be left free, one part in so many is left free outside of the store.
const FOR_LOG: u64 = 4;
/// What a body takes on the disk: itself and what it says, in the log and in the file.
const OF_BODY: u64 = 4;
/// With less than this a disk is full.
const NOTHING: u64 = 256 << 10;

impl Room {
    /// Bytes that rows may take, `used` being taken now, so that twice of what is to be left free is
    /// left over: history gives way before calls are turned away. A store that is no larger than some
    /// times that is not what fills the disk.
    pub fn used_max(&self, used: u64) -> u64 {
        const TIMES: u64 = 4;
        if self.keep_free == 0 {
            return u64::MAX;
        }
        let all = used.saturating_add(self.reusable).saturating_add(self.free);
        all.saturating_sub(self.keep_free.saturating_mul(2)).max(self.keep_free.saturating_mul(TIMES))
    }

    /// So little is left that it is to be watched.
    pub fn is_tight(&self) -> bool {
        self.free.saturating_add(self.reusable) < self.keep_free.saturating_mul(4)
    }

    /// The disk could do with what the store does not use, be it in its log.
    pub fn wants_back(&self) -> bool {
        self.free < self.keep_free.saturating_mul(2)
    }
}

/// The disk of one store.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    keep_free: AtomicU64,
    low: AtomicBool,
    reserved: AtomicBool,
    /// Bytes that bodies may take before the next look.
    allowed: AtomicU64,
}

/// What the rows take of the disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Held by rows.
    pub used: u64,
    /// Held by nothing any more: used again before more of the disk is taken.
    pub reusable: u64,
}

/// What a look at the disk showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// Bytes that are free on the disk, without the reserve.
    pub free: u64,
    /// Bytes that the store holds and does not use.
    pub reusable: u64,
    /// Bytes that are to be left free.
    pub keep_free: u64,
    /// Too little to take calls in.
    pub low: bool,
}

impl Disk {
    /// The disk that holds this folder. Nothing is kept free before [`Disk::keep_free`].
    pub fn of(folder: &Path) -> Disk {
        Disk {
            folder: folder.to_owned(),
            keep_free: AtomicU64::new(0),
            low: AtomicBool::new(false),
            reserved: AtomicBool::new(folder.join(FILE).exists()),
            allowed: AtomicU64::new(u64::MAX),
        }
    }

    /// So many bytes are to be left free; 0: use it up.
    pub fn keep_free(&self, bytes: u64) {
        self.keep_free.store(bytes, Ordering::Relaxed);
    }

    /// There was too little room at the last look.
    pub fn is_low(&self) -> bool {
        self.low.load(Ordering::Relaxed)
    }

    /// Takes room for a body of so many bytes; false when what came since the last look may have
    /// used up all that there was.
    pub fn take(&self, body: usize) -> bool {
        let bytes = (body as u64).saturating_mul(OF_BODY);
        let left = |allowed: u64| (allowed > 0).then(|| allowed.saturating_sub(bytes));
        self.allowed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
    }

    /// There is no room at all. Asks the system.
    pub fn is_full(&self) -> bool {
        self.free().is_ok_and(|free| free < NOTHING)
    }

    /// Looks how much room there is, beside what the store holds and does not use. Puts the reserve
    /// back where there is room for it.
    ///
    /// # Errors
    /// The system's, when it cannot say; then things stay as they are.
    pub fn look(&self, reusable: u64) -> io::Result<Room> {
        let keep_free = self.keep_free.load(Ordering::Relaxed);
        let reserve = RESERVE.min(keep_free);
        let free = self.free()?;
        let missing = if self.reserved.load(Ordering::Relaxed) { 0 } else { reserve };
        // Even with all the room in the world inside of the store its log needs some outside of it.
        let outside = keep_free / FOR_LOG;
        let low = free < outside || free.saturating_add(reusable) < keep_free.saturating_add(missing);
        if !low && missing > 0 && free >= outside.saturating_add(missing) {
            match self.put_back(reserve) {
                Ok(()) => self.reserved.store(true, Ordering::Relaxed),
                Err(error) => tracing::warn!(%error, "no reserve could be set aside for a full disk"),
            }
        }
        self.low.store(low, Ordering::Relaxed);
        let within = free.saturating_add(reusable).saturating_sub(keep_free.saturating_add(missing));
        let allowed = if keep_free == 0 { u64::MAX } else { within.max(1) };
        self.allowed.store(allowed, Ordering::Relaxed);
        Ok(Room { free, reusable, keep_free, low })
    }

    /// Gives the reserve up to what must be written; false when there is none. From then on calls
    /// are turned away until it is back.
    pub fn give_up_reserve(&self) -> bool {
        let had = std::fs::remove_file(self.folder.join(FILE)).is_ok();
        self.reserved.store(false, Ordering::Relaxed);
        if had {
            self.low.store(true, Ordering::Relaxed);
            tracing::error!("the disk is full; its reserve is used up now to deliver what is owed");
        }
        had
    }

    fn free(&self) -> io::Result<u64> {
        let found = statvfs(&self.folder)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn put_back(&self, bytes: u64) -> io::Result<()> {
        let path = self.folder.join(FILE);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        let made = match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => Ok(()),
            // Not every file system can; writing takes the room as well.
            Err(_) => write_out(file, bytes),
        };
        if made.is_err() {
            let _gone = std::fs::remove_file(&path);
        }
        made
    }
}

fn write_out(mut file: File, bytes: u64) -> io::Result<()> {
    static PIECE: [u8; 64 * 1024] = [b'.'; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE.len());
        file.write_all(&PIECE[..now])?;
        left -= now as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_set_aside_given_up_and_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let length = || std::fs::metadata(folder.path().join(FILE)).map(|file| file.len()).ok();
        let disk = Disk::of(folder.path());
        disk.look(0).unwrap();
        assert_eq!(length(), None, "nothing is to be kept free");
        disk.keep_free(1 << 20);
        let room = disk.look(0).unwrap();
        assert!(!room.low && room.free > 1 << 20);
        assert_eq!(length(), Some(1 << 20));
        assert!(Disk::of(folder.path()).give_up_reserve(), "one of an earlier run counts");
        assert!(disk.is_low() || !disk.give_up_reserve());
        assert_eq!(length(), None);
        disk.look(0).unwrap();
        assert_eq!(length(), Some(1 << 20));
    }

    #[test]
    fn between_two_looks_bodies_take_what_there_was_and_one_always_fits() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::of(folder.path());
        assert!(disk.take(1 << 40) && disk.take(1), "nothing is to be kept free");
        disk.allowed.store(64 << 20, Ordering::Relaxed);
        let fit = (0..100).take_while(|_| disk.take(5 << 20)).count();
        assert_eq!(fit, 4, "20 MiB each in 64 MiB, and one that began when there was room");
        disk.keep_free(1);
        disk.look(0).unwrap();
        assert!(disk.take(1), "a look shows new room");
    }

    #[test]
    fn less_than_is_to_be_left_is_low_and_half_a_reserve_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::of(folder.path());
        disk.keep_free(u64::MAX / 2);
        assert!(disk.look(0).unwrap().low && disk.is_low());
        assert!(disk.look(u64::MAX).unwrap().low, "not all of it may be inside of the store");
        assert!(!folder.path().join(FILE).exists());
        assert!(!disk.is_full());
    }

    #[test]
    fn history_gives_way_before_calls_are_turned_away_unless_that_is_in_vain() {
        let room = |free, reusable| Room { free, reusable, keep_free: 64, low: false };
        assert_eq!(room(10_000, 0).used_max(1000), 10_872, "there is room to grow");
        assert_eq!(room(100, 0).used_max(1000), 972, "28 have to go");
        assert_eq!(room(100, 28).used_max(972), 972, "and then no more");
        assert_eq!(room(0, 0).used_max(200), 256, "somebody else has filled the disk");
        assert_eq!(Room { keep_free: 0, ..room(0, 0) }.used_max(1000), u64::MAX);
        assert!(room(100, 28).wants_back() && !room(128, 28).wants_back());
    }

    #[test]
    fn a_file_system_that_cannot_set_aside_is_written_to() {
        let file = tempfile::NamedTempFile::new().unwrap();
        write_out(file.reopen().unwrap(), 200_000).unwrap();
        assert_eq!(file.as_file().metadata().unwrap().len(), 200_000);
    }
}
