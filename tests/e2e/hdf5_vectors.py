"""Writes a table of float32 to an HDF5 file without a library: just enough of the format (version 0 of its superblock)
for a dataset `embeddings` [rows, width] without checksum or attributes, as other programs write it."""
import struct

UNDEFINED = 0xFFFFFFFFFFFFFFFF


def message(kind, data):
    data += b"\0" * (-len(data) % 8)
    return struct.pack("<HHB3x", kind, len(data), 0) + data


def object_header(*messages):
    body = b"".join(messages)
    return struct.pack("<BxHII4x", 1, len(messages), 1, len(body)) + body


def write_vectors(path, rows, name="embeddings"):
    values = b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)
    width = len(rows[0]) if rows else 1

    def dataset(data_at):
        float32 = struct.pack("<B3BIHHBBBBI", 0x11, 0x20, 0x1F, 0, 4, 0, 32, 23, 8, 0, 23, 127)
        return object_header(message(1, struct.pack("<BBB5xQQ", 1, 2, 0, len(rows), width)), message(3, float32),
                             message(5, struct.pack("<BBBB", 2, 2, 2, 0)),
                             message(8, struct.pack("<BBQQ", 3, 1, data_at, len(values))))

    def root(dataset_at):
        link = struct.pack("<BBB", 1, 0, len(name)) + name.encode() + struct.pack("<Q", dataset_at)
        return object_header(message(2, struct.pack("<BBQQ", 0, 0, UNDEFINED, UNDEFINED)), message(6, link))

    root_at = 96
    dataset_at = root_at + len(root(0))
    data_at = dataset_at + len(dataset(0))
    end = data_at + len(values)
    superblock = b"\x89HDF\r\n\x1a\n" + struct.pack("<8BHHI", 0, 0, 0, 0, 0, 8, 8, 0, 4, 16, 0)
    superblock += struct.pack("<QQQQ", 0, UNDEFINED, end, UNDEFINED) + struct.pack("<QQII16x", 0, root_at, 0, 0)
    path.write_bytes(superblock + root(dataset_at) + dataset(data_at) + values)
