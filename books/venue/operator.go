package venue

import "encoding/binary"

// OpKind is what an Operator event asks.
type OpKind uint8

const (
	NoOperator OpKind = iota
	// OpKill closes the kill gate, cancels everything within its scope, and stands, across restarts, until OpLift.
	OpKill
	OpLift
	// OpArm ends OpDisarm and OpReduceOnly, and re-enables what repeated executions or a loss streak had stopped.
	OpArm
	// OpDisarm cancels and takes nothing new but the legs of plans under way.
	OpDisarm
	OpReduceOnly
	OpBreakerReset
	// OpFlatten disarms, cancels, and closes positions through the gate by orders that reduce them.
	OpFlatten
	// OpNote carries a piece of text: who gave the command before it, and why.
	OpNote
)

var opKindText = [...]string{"none", "kill", "lift", "arm", "disarm", "reduce_only", "breaker_reset", "flatten", "note"}

func (k OpKind) String() string { return opKindText[k] }

// SetOperator makes e an operator's command. v is the venue it concerns, 0 for all; who identifies the operator, 0 for the
// engine itself.
func (e *Event) SetOperator(k OpKind, v ID, who uint16, now Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = Operator, Last, uint8(k), v, 0, uint64(who)
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = 0, 0, 0, 0, int64(now), 0
}

// SetStrategy narrows an operator's command to one strategy, by its number. OpFlatten is narrowed to one instrument by Inst.
func (e *Event) SetStrategy(s uint16) { e.W[0] = int64(s) }

// Strategy is the one strategy that an operator's command concerns, 0 for all.
func (e *Event) Strategy() uint16 { return uint16(e.W[0]) }

// SetRequest gives an operator's command a number, which the engine's status shows once it has been applied.
func (e *Event) SetRequest(n uint64) { e.W[5] = int64(n) }

// Request is that number, 0 for none.
func (e *Event) Request() uint64 { return uint64(e.W[5]) }

// NoteBytes is the most text that one OpNote carries.
const NoteBytes = 32

// SetNote makes e an OpNote with the beginning of text, and returns the rest of it.
func (e *Event) SetNote(text []byte, who uint16, now Nanos) []byte {
	e.SetOperator(OpNote, 0, who, now)
	var b [NoteBytes]byte
	n := copy(b[:], text)
	for i := range NoteBytes / 8 {
		e.W[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
	}
	e.W[5] = int64(n)
	return text[n:]
}

// AppendNote appends the text of an OpNote.
func (e *Event) AppendNote(dst []byte) []byte {
	n := len(dst) + int(uint64(e.W[5])%(NoteBytes+1))
	for i := range NoteBytes / 8 {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(e.W[i]))
	}
	return dst[:n]
}
