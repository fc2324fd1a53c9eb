// SPDX-License-Identifier: Apache-2.0
//
// HAKO_SINK_JOURNAL: a file of bounded size from which a writer in Node (a
// network log driver) takes records and acknowledges them. Whichever side is
// killed, the other finds the file as it should be: records that were not
// acknowledged are read again.
//
// A header of JOURNAL_HEADER bytes, then a ring. Integers are little-endian.
// Offsets count from the first record ever written and only grow; offset o is
// at JOURNAL_HEADER + o % ring in the file.
//
//   at   0  "hakojrnl" · u32 version (1) · u32 0 · u64 ring (bytes, a multiple of 32) · u64 capacity
//   at  64  u64 written · u64 sequence of the next record · u64 dropped · u64 1: the run has ended, all is
//           written                                                         the supervisor's
//   at 128  u64 acknowledged                                                 the reader's, one pwrite(2)
//
// Records are [acknowledged, written). `written` grows after what it covers is
// there, by a write(2) of its own, which inotify(7) tells of. Each record:
// None is cut by the ring's end.
//
//   u32 length of the text · u8 stream (1, 2; 0: none, what follows is at the ring's beginning) · u8 1: a newline followed
//   · u16 0 · u64 sequence · i64 ns since the epoch · u32 ordinal (0: a whole line; 1, 2 …: pieces of one)
//   · u32 CRC-32 of the 28 bytes before it and the text · the text · zeros up to a multiple of 32
//
// Sequences grow by one; where they jump, records were dropped. After a loss of
// power the ring may lack what the header promises: a record with a wrong CRC or
// a sequence that does not grow ends what can be read, and `written` is then to
// be acknowledged.
//
// In blocking mode the container's output is not read while more than `capacity`
// is unacknowledged, and acknowledging is noticed within JOURNAL_RETRY_MS. In the
// other, a record that finds no room is dropped and counted. At the container's
// end, what a blocking journal still holds back goes into the rest of the ring;
// if that is not enough, the supervisor waits for the reader (the container's
// exit does not), for as long as it waits for any peer.
#ifndef HAKO_JOURNAL_H
#define HAKO_JOURNAL_H

#define JOURNAL_MAGIC "hakojrnl"
#define JOURNAL_VERSION 1u
#define JOURNAL_HEADER 4096u
#define JOURNAL_WRITER_AT 64
#define JOURNAL_READER_AT 128
#define JOURNAL_RECORD 32u           // before the text
#define JOURNAL_RESERVE (256u << 10) // of the ring, over the capacity
#define JOURNAL_MIN_CAPACITY (64u << 10)
#define JOURNAL_RETRY_MS 20

#endif
