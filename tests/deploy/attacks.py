"""Archives that mean harm: each by what it tries, as bytes, and a part of the sentence that refuses it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable

from detent.deploy.archive import BLOCK, END, header, padding

__all__ = ["ATTACKS"]

Attack = tuple[Callable[[], bytes], str]


def file(name: str, content: bytes = b"x") -> bytes:
    """A file as a bundle holds it, whatever its name."""
    return header(name, len(content), executable=False) + content + padding(len(content))


def bundle(*parts: bytes) -> bytes:
    return b"".join(parts) + END


def named(name: str) -> Callable[[], bytes]:
    return lambda: bundle(file(name))


def with_type(
    kind: bytes, name: str = "a.py", format: int = tarfile.USTAR_FORMAT, **fields: object
) -> Callable[[], bytes]:
    """An archive of Python's tarfile with one entry of that kind."""

    def make() -> bytes:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = kind, 0o644
        for field, value in fields.items():
            setattr(entry, field, value)
        return bundle(entry.tobuf(format))

    return make


def patched(offset: int, value: bytes, content: bytes = b"x") -> Callable[[], bytes]:
    """One file whose header is changed at `offset`, with a checksum that is right."""

    def make() -> bytes:
        whole = bytearray(file("a.py", content))
        whole[offset : offset + len(value)] = value
        return bundle(summed(whole))

    return make


def summed(whole: bytearray) -> bytes:
    whole[148:156] = b" " * 8
    whole[148:156] = b"%06o\0 " % sum(whole[:BLOCK])
    return bytes(whole)


def with_records(**records: str) -> Callable[[], bytes]:
    """A file behind a header of the kind pax."""

    def make() -> bytes:
        entry = tarfile.TarInfo("a.py")
        entry.pax_headers = records
        return bundle(entry.tobuf(tarfile.PAX_FORMAT))

    return make


def pax(data: bytes, name: bytes = b"detent-long-name") -> bytes:
    """A header of the kind pax with any contents."""
    whole = bytearray(file(name.decode(), data))
    whole[156:157] = b"x"
    return summed(whole)


def compressed_tar(compress: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: compress(bundle(file("a.py", bytes(1_000_000))))


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../evil.py", bytes(1_000_000))
    return buffer.getvalue()


def link_then_file() -> bytes:
    link = tarfile.TarInfo("dir")
    link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
    return bundle(link.tobuf(tarfile.USTAR_FORMAT), file("dir/evil.py"))


def nested_headers() -> bytes:
    inner = b"20 path=../evil.py\n"
    return bundle(pax(inner), pax(inner), file("a.py"))


LONG = "y" * 200

ATTACKS: dict[str, Attack] = {
    "an absolute name": (named("/etc/cron.d/evil"), "absolute"),
    "an absolute name of two slashes": (named("//etc/evil"), "absolute"),
    "a name that leads up": (named("../evil.py"), "leads through '..'"),
    "a name that leads up from within": (named("tasks/../../evil.py"), "leads through '..'"),
    "a name that ends with two dots": (named("tasks/.."), "leads through '..'"),
    "a name through the folder itself": (named("./a.py"), "leads through '.'"),
    "a name with an empty part": (named("tasks//a.py"), "empty part"),
    "a name of a folder": (named("tasks/"), "empty part"),
    "a drive of Windows": (named("C:/Windows/evil.dll"), "colon"),
    "a drive without a slash": (named("C:evil.dll"), "colon"),
    "a stream of a file": (named("a.py:hidden"), "colon"),
    "backslashes that lead up": (named("..\\..\\evil.py"), "backslash"),
    "a host on the network": (named("\\\\host\\share\\evil"), "backslash"),
    "a device of Windows": (named("tasks/NUL"), "device"),
    "a device of Windows with an ending": (named("com1.txt"), "device"),
    "a name that ends with a dot": (named("tasks./a.py"), "ends with a dot"),
    "a name that ends with a space": (named("a.py "), "ends with a dot or a space"),
    "a name with a NUL": (named("a.py\0.txt"), "control character"),
    "a name with a line": (named("a\nb.py"), "control character"),
    "a name with an escape of the terminal": (named("a\x1b[2Jb.py"), "control character"),
    "a name that is not NFC": (named(unicodedata.normalize("NFD", "é.py")), "NFC"),
    "a name that is not UTF-8": (patched(0, b"\xff\xfe.py"), "not UTF-8"),
    "a name without characters": (lambda: bundle(file("")), "empty"),
    "a name that is too long": (named("/".join(["z" * 99] * 12)), "the most are 1,000"),
    "a part of a name that is too long": (named("z" * 256), "a part of its name"),
    "a symbolic link out": (with_type(tarfile.SYMTYPE, linkname="/etc/passwd"), "symbolic link"),
    "a symbolic link up": (with_type(tarfile.SYMTYPE, linkname="../../evil"), "symbolic link"),
    "a symbolic link inside": (with_type(tarfile.SYMTYPE, linkname="b.py"), "symbolic link"),
    "a file through a link": (link_then_file, "symbolic link"),
    "a hard link out": (with_type(tarfile.LNKTYPE, linkname="/etc/passwd"), "a link"),
    "a hard link inside": (with_type(tarfile.LNKTYPE, linkname="b.py"), "a link"),
    "a link in a regular file": (patched(157, b"/etc/passwd"), "says more"),
    "a character device": (with_type(tarfile.CHRTYPE, devmajor=1, devminor=3), "device"),
    "a block device": (with_type(tarfile.BLKTYPE, devmajor=8), "device"),
    "a pipe": (with_type(tarfile.FIFOTYPE), "pipe"),
    "a contiguous file": (with_type(tarfile.CONTTYPE), "contiguous"),
    "a sparse file of GNU": (with_type(b"S", format=tarfile.GNU_FORMAT, size=1 << 33), "sparse"),
    "a sparse file of pax": (
        with_records(**{"GNU.sparse.major": "1", "GNU.sparse.realsize": str(1 << 40)}),
        "more than a name",
    ),
    "a folder with the sticky bit": (with_type(tarfile.DIRTYPE, mode=0o1777), "a folder"),
    "a folder": (with_type(tarfile.DIRTYPE, "tasks"), "a folder"),
    "a file that runs as its owner": (patched(100, b"0004755\0"), "rights of its owner"),
    "a file that runs as its group": (patched(100, b"0002755\0"), "rights of its owner"),
    "a file that everyone may write": (patched(100, b"0000666\0"), "says more"),
    "a file of another owner": (patched(108, b"0001750\0"), "says more"),
    "a file of a named owner": (patched(265, b"root"), "says more"),
    "a file of another time": (patched(136, b"77777777777\0"), "says more"),
    "something in the filling of the header": (patched(500, b"evil"), "says more"),
    "a checksum that is wrong": (lambda: bundle(file("a.py")[:148] + b"000000\0 " + file("a.py")[156:]), "says more"),
    "a size that is negative": (patched(124, b"\xff" * 12), "size of 'a.py'"),
    "a size in base 256": (patched(124, b"\x80" + bytes(10) + b"\x01"), "size of 'a.py'"),
    "a size with spaces": (patched(124, b"         1 \0"), "size of 'a.py'"),
    "a size that is larger than the archive": (patched(124, b"77777777777\0"), "cut off"),
    "a size that hides the next file": (lambda: bundle(patched(124, b"00000002001\0")()[:-1024]), "cut off"),
    "a name by a pax header that leads up": (named("../" + LONG), "leads through"),
    "a name by a pax header that was not needed": (with_records(path="../evil.py"), "leads through"),
    "a pax header that links": (with_records(linkpath="/etc/passwd"), "more than a name"),
    "a pax header that lies on the size": (with_records(size="0"), "more than a name"),
    "a pax header for all files": (with_type(tarfile.XGLTYPE), "for all files"),
    "pax headers within each other": (nested_headers, ""),
    "a pax header without an end": (lambda: bundle(pax(b"9" * 400)), "more than a name"),
    "a pax header that is huge": (lambda: bundle(pax(b"x" * 100_000), file("a.py")), "too long"),
    "a pax header as the last thing": (lambda: bundle(pax(b"13 path=evil\n")), ""),
    "a long name of GNU": (with_type(b"L", "././@LongLink", tarfile.GNU_FORMAT), "long name of GNU"),
    "a long link of GNU": (with_type(b"K", "././@LongLink", tarfile.GNU_FORMAT), "long link of GNU"),
    "the same name twice": (lambda: bundle(file("a.py"), file("a.py", b"evil")), "twice"),
    "the same name twice with another between": (lambda: bundle(file("a"), file("b"), file("a")), "sorted by name"),
    "names that differ in case": (lambda: bundle(file("README"), file("readme")), "one name"),
    "folders that differ in case": (lambda: bundle(file("Tasks/a.py"), file("tasks/b.py")), "one name"),
    "names that fold to the same": (lambda: bundle(file("strasse"), file("straße")), "one name"),
    "a file inside of a file": (lambda: bundle(file("a"), file("a/b.py")), "one name"),
    "a file inside of a file of another case": (lambda: bundle(file("A"), file("a/b.py")), "one name"),
    "an archive that is cut off in a file": (lambda: file("a.py", b"x" * 5000)[:2048], "cut off"),
    "an archive that is cut off in a block": (lambda: bundle(file("a.py"))[:-100], "cut off"),
    "an archive without an end": (lambda: file("a.py"), ""),
    "an archive with half an end": (lambda: file("a.py") + bytes(512), ""),
    "something behind the end": (lambda: bundle(file("a.py")) + file("../evil.py"), "behind the end"),
    "zeros behind the end": (lambda: bundle(file("a.py")) + bytes(10240), "behind the end"),
    "another archive behind the end": (lambda: bundle(file("a.py")) + bundle(file("b.py")), "behind the end"),
    "something in the filling of a file": (
        lambda: bundle(header("a.py", 1, executable=False) + b"x" + b"evil" * 127 + b"abc"), "behind the contents",
    ),
    "a bomb of gzip": (compressed_tar(gzip.compress), "gzip"),
    "two files of gzip": (lambda: compressed_tar(gzip.compress)() * 2, "gzip"),
    "a bomb of bzip2": (compressed_tar(bz2.compress), "bzip2"),
    "a bomb of xz": (compressed_tar(lzma.compress), "xz"),
    "a zip": (zipped, "zip"),
    "no archive at all": (lambda: b"#!/bin/sh\necho evil\n" * 100, "cut off"),
    "noise": (lambda: bytes(range(1, 256)) * 512, ""),
    "nothing": (lambda: b"", "cut off"),
    "more files than there may be": (
        lambda: bundle(*(file(f"{number:06}", b"") for number in range(20_001))), "20,000 files",
    ),
    "an old header of tar": (patched(257, bytes(8)), ""),
    "a header of GNU tar": (patched(257, b"ustar  \0"), ""),
}  # fmt: skip
