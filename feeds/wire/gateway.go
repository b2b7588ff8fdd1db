package wire

import (
	"context"
	"crypto/tls"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
)

// Gateway is the order side of a venue as it is assembled: Run brings it to life.
type Gateway interface {
	venue.Gateway
	// Ready reports whether a new order could leave now and its fate would be heard of. Any thread.
	Ready() bool
	// Adopt takes an order of an earlier run whose end is not known, as recovery has it, with the slot that it has now. It is
	// held from then on as one whose answer is overdue: the gateway finds out what became of it and of its pending amend, and
	// reports carry its slot. Before Run, or on Submit's thread. o is not kept.
	Adopt(o *desk.Order)
	// Check asks the venue for its clock, for what the key may do and for the account's fees. An error says that the venue
	// cannot be reached or refuses the key; what was learned before it is in the Account still, so that a wrong clock shows
	// as its cause. It needs no Run. Any goroutine but the engine's.
	Check(ctx context.Context) (Account, error)
}

// GatewayConfig is what the gateway of any venue is made of.
type GatewayConfig struct {
	Venue venue.ID
	// Instruments are what may be traded, each with its Inst set. Currency finds the index of a currency by the venue's
	// name for it, 0 when the process has none.
	Instruments []*venue.Instrument
	Currency    func(name string) venue.Ccy
	Net         Net
	Clock       *Clock
	TLS         *tls.Config
	// WS and REST are base addresses without a path; "" takes the adapter's public ones.
	WS, REST string
	// Limits are the address's, from the adapter's Limits; nil when nothing else of the process reaches the venue.
	Limits *Limits
	// Kill is looked at by the last instruction before a write.
	Kill *venue.Kill
	// Slots is the number of order slots: venue order ids are kept in an array by slot.
	Slots int
	// Account names the account in errors and logs, never a key. Shared says that others trade on it: only our own orders
	// are then cancelled, one by one where the venue cannot tell them apart.
	Account string
	Shared  bool
	// Tier is the account's level in the venue's own word, where that sets what it may do; "" is the lowest.
	Tier string
	// Key is the API key's id or name, Secret what signs.
	Key, Secret sign.Secret
	// Lost, where not nil, is told that reports may be missing, once the private stream is whole again: Sweep then finds
	// them. It must not block. Any goroutine of the gateway.
	Lost func()
	// Spin makes the order connection busy-poll.
	Spin bool
	// Seed sets the jitter of reconnects.
	Seed uint64
}

// Client ids on the wire. The engine's id is 64 bits; venues want text, some a UUID. Both forms below carry it whole, so a
// report is matched by decoding, never by a lookup that a restart would lose, and an order that does not decode is foreign.

// idPrefix marks the plain form as ours.
const idPrefix = "op1-"

// AppendClientID writes the plain form: "op1-" and 16 hex digits.
func AppendClientID(dst []byte, id uint64) []byte {
	dst = append(dst, idPrefix...)
	return appendHex64(dst, id)
}

// ParseClientID reads the plain form; false for an id that is not ours.
func ParseClientID(text []byte) (uint64, bool) {
	if len(text) != len(idPrefix)+16 || string(text[:len(idPrefix)]) != idPrefix {
		return 0, false
	}
	return hex64(text[len(idPrefix):])
}

// The UUID form is version 8 (RFC 9562, custom): the id stands in the first eight bytes but for the version's nibble, whose
// place is taken by moving that nibble to the end; the rest is a fixed mark.
const uuidMark = "8f70-6e657072"

// AppendClientUUID writes the UUID form: 36 characters.
func AppendClientUUID(dst []byte, id uint64) []byte {
	var room [16]byte
	h := appendHex64(room[:0], id)
	dst = append(append(dst, h[:8]...), '-')
	dst = append(append(dst, h[8:12]...), '-', '8')
	dst = append(append(dst, h[13:16]...), '-')
	dst = append(dst, uuidMark...)
	return append(dst, '0', '0', '0', h[12])
}

// ParseClientUUID reads the UUID form; false for an id that is not ours.
func ParseClientUUID(text []byte) (uint64, bool) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[14] != '8' || text[18] != '-' || string(text[19:32]) != uuidMark || string(text[32:35]) != "000" {
		return 0, false
	}
	var h [16]byte
	copy(h[:], text[:8])
	copy(h[8:], text[9:13])
	h[12] = text[35]
	copy(h[13:], text[15:18])
	return hex64(h[:])
}

func appendHex64(dst []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for s := 60; s >= 0; s -= 4 {
		dst = append(dst, digits[v>>s&15])
	}
	return dst
}

func hex64(text []byte) (uint64, bool) {
	var v uint64
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
