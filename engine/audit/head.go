package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const headName = "head.json"

// Head says where the proven part of a folder ends. It is published after each batch is on disk; a copy kept elsewhere
// is what makes the end of the files undeniable.
type Head struct {
	// Epoch and Seq are the last record's.
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
	// Lines counts the lines of all files, Line those of File, Bytes its length up to there.
	Lines uint64 `json:"lines"`
	File  string `json:"file"`
	Line  uint64 `json:"line"`
	Bytes int64  `json:"bytes"`
	// Chain is the last line's chain in hex.
	Chain string `json:"chain"`
}

// link is the SHA-256 of the link before and a line's body. The first link of a folder is all zeros.
type link [sha256.Size]byte

func (l link) String() string { return hex.EncodeToString(l[:]) }

// joiner computes links; its buffer saves an allocation per line.
type joiner struct{ buf []byte }

// join is the link of a line with this body.
func (j *joiner) join(before link, body []byte) link {
	j.buf = append(append(j.buf[:0], before[:]...), body...)
	return sha256.Sum256(j.buf)
}

// origin is the head of an empty folder.
func origin() Head { return Head{Chain: link{}.String()} }

func (h *Head) link() (l link, err error) {
	n, err := hex.Decode(l[:], []byte(h.Chain))
	if err != nil || n != len(l) {
		return l, fmt.Errorf("audit: %s: the chain is not a SHA-256", headName)
	}
	return l, nil
}

// text is the one form in which a head is written.
func (h *Head) text() ([]byte, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("audit: head: %w", err)
	}
	return append(b, '\n'), nil
}

// readHead reads the published head. A byte that differs from what publish writes is an error.
func readHead(dir string) (Head, error) {
	var h Head
	b, err := os.ReadFile(filepath.Join(dir, headName))
	if errors.Is(err, os.ErrNotExist) {
		return h, fmt.Errorf("audit: %s has no %s: the end of its files cannot be proven: %w", dir, headName, err)
	}
	if err != nil {
		return h, fmt.Errorf("audit: head: %w", err)
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("audit: %s is damaged: %w", headName, err)
	}
	want, err := h.text()
	if err != nil {
		return h, err
	}
	if !bytes.Equal(b, want) {
		return h, fmt.Errorf("audit: %s is damaged: not in the form it was written", headName)
	}
	return h, nil
}

// publish replaces the folder's head in one step.
func (h *Head) publish(dir string, sync bool) error {
	b, err := h.text()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, headName)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("audit: head: %w", err)
	}
	_, err = f.Write(b)
	if err == nil && sync {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("audit: head: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("audit: head: %w", err)
	}
	return nil
}
