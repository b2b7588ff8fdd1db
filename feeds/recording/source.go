package recording

import (
	"bufio"
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// source is the uncompressed text of a file.
type source struct {
	io.Reader
	raw  counter
	gz   *gzip.Reader
	zstd *zstd.Decoder
}

// counter counts what is read of the file itself, for progress.
type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// windowMax bounds the memory that a zstd file may ask for.
const windowMax = 1 << 27

// open looks at the first bytes and sets up the decompressor.
func (s *source) open(f io.Reader) (err error) {
	s.raw.Reader = f
	b := bufio.NewReaderSize(&s.raw, 1<<17)
	s.Reader = b
	head, err := b.Peek(4)
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		if s.gz, err = gzip.NewReader(b); err == nil {
			s.Reader = s.gz
		} else {
			s.gz = new(gzip.Reader) // names the format in the fault
		}
		return err
	case bytes.HasPrefix(head, zstdMagic):
		s.zstd, err = zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(windowMax))
		if err == nil {
			s.Reader = s.zstd
		}
		return err
	}
	if err == io.EOF {
		return nil // shorter than four bytes
	}
	return err
}

// format names the compression for a fault.
func (s *source) format() string {
	switch {
	case s.gz != nil:
		return "gzip"
	case s.zstd != nil:
		return "zstd"
	}
	return "file"
}

// close releases the decompressor; the file is the Reader's.
func (s *source) close() {
	if s.zstd != nil {
		s.zstd.Close()
	}
}
