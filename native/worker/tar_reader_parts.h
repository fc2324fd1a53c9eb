// SPDX-License-Identifier: Apache-2.0
//
// What the parts of the reader share. Only tar_reader*.c include it.
#ifndef HAKO_TAR_READER_PARTS_H
#define HAKO_TAR_READER_PARTS_H

#include "tar_reader.h"

// Always -1, with a failure that tells the current entry's place.
int tar_reader_malformed(struct tar_reader *reader, struct failure *f, const char *what);

// The next 512 bytes, still unconsumed. NULL with a failure.
const unsigned char *tar_reader_peek(struct tar_reader *reader, struct failure *f);

// The rest of an old GNU map, in blocks behind the header.
int tar_reader_sparse_blocks(struct tar_reader *reader, bool continues, struct failure *f);

// The map of PAX formats 0.0, 0.1 and 1.0; takes the file's real name and size from the records too.
int tar_reader_pax_sparse(struct tar_reader *reader, struct tar_entry *entry, struct failure *f);

#endif
