package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"oneprice/engine/mapped"
)

const fenceName = "fence.json"

// keepRanges bounds the ranges that a fence remembers.
const keepRanges = 64

// Range says that ids of an epoch up to a sequence may have been used.
type Range struct {
	Epoch    uint64 `json:"epoch"`
	Reserved uint64 `json:"reserved"`
}

// fence is the counter of runs. The last range is the newest run's.
type fence struct {
	Ranges []Range `json:"ranges"`
}

func (f *fence) last() Range {
	if len(f.Ranges) == 0 {
		return Range{}
	}
	return f.Ranges[len(f.Ranges)-1]
}

// raise begins an epoch with its first reserved block, durable before anything else of the run.
func raise(c *Config) (fence, error) {
	f, err := readFence(c.Dir)
	if err != nil {
		return f, err
	}
	f.Ranges = append(f.Ranges, Range{max(f.last().Epoch+1, c.Least), c.Block})
	f.Ranges = f.Ranges[max(0, len(f.Ranges)-keepRanges):]
	return f, f.write(c.Dir)
}

// readFence reads the fence of a folder; a new folder has an empty one, a folder with records must have its own.
func readFence(dir string) (fence, error) {
	var f fence
	b, err := os.ReadFile(filepath.Join(dir, fenceName))
	if errors.Is(err, os.ErrNotExist) {
		numbers, err := files(dir)
		if err == nil && len(numbers) > 0 {
			err = fmt.Errorf("journal: %s has records and no %s: which ids were used is not known; %s", dir, fenceName, advice)
		}
		return f, err
	}
	if err != nil {
		return f, fmt.Errorf("journal: %w", err)
	}
	err = json.Unmarshal(b, &f)
	if err == nil {
		var want []byte
		if want, err = f.text(); err == nil && !bytes.Equal(b, want) {
			err = errors.New("not in the form it was written")
		}
	}
	for i := 1; err == nil && i < len(f.Ranges); i++ {
		if f.Ranges[i].Epoch <= f.Ranges[i-1].Epoch {
			err = errors.New("the epochs do not rise")
		}
	}
	if err != nil {
		return fence{}, fmt.Errorf("journal: %s is damaged: %s; %s", filepath.Join(dir, fenceName), strings.TrimSpace(err.Error()), advice)
	}
	return f, nil
}

func (f *fence) text() ([]byte, error) {
	b, err := json.Marshal(f)
	return append(b, '\n'), err
}

// write replaces the folder's fence in one durable step.
func (f *fence) write(dir string) error {
	b, err := f.text()
	if err != nil {
		return fmt.Errorf("journal: fence: %w", err)
	}
	path := filepath.Join(dir, fenceName)
	x, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("journal: fence: %w", err)
	}
	if _, err = x.Write(b); err == nil {
		err = x.Sync()
	}
	if err = errors.Join(err, x.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = mapped.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("journal: fence: %w", err)
	}
	return nil
}
