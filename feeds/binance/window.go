package binance

import "oneprice/feeds/wire"

// window is the part of a message that one level lies in; its offsets are masked so that no load needs a bounds check.
type window [wire.Slack]byte

// word is the eight bytes at k, k below 32.
func (w *window) word(k uint) uint64 {
	k &= 31
	return uint64(w[k]) | uint64(w[k+1])<<8 | uint64(w[k+2])<<16 | uint64(w[k+3])<<24 |
		uint64(w[k+4])<<32 | uint64(w[k+5])<<40 | uint64(w[k+6])<<48 | uint64(w[k+7])<<56
}

// half is the four bytes at k, k below 32.
func (w *window) half(k uint) uint32 {
	k &= 31
	return uint32(w[k]) | uint32(w[k+1])<<8 | uint32(w[k+2])<<16 | uint32(w[k+3])<<24
}

// unlike is zero exactly when the eight bytes of x are digits.
func unlike(x uint64) uint64 { return ((x + 0x4646464646464646) | (x - zeros)) & 0x8080808080808080 }
