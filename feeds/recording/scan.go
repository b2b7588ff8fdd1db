package recording

import (
	"bytes"
	"unicode/utf8"

	"oneprice/feeds/wire"

	"github.com/valyala/fastjson"
)

// fields are the parts of one line, as slices of it. msg is raw JSON.
type fields struct {
	recv                     int64
	noTime                   bool
	kind, conn, request, msg []byte
}

// scanFast reads a line whose keys come in the order in which recorders write them, without spaces. It does not look
// inside msg. false: another shape, or damage.
func scanFast(b []byte, f *fields) bool {
	const head, null = `{"recv_ns":`, `null`
	if len(b) < len(head)+8 || string(b[:len(head)]) != head {
		return false
	}
	i := len(head)
	if string(b[i:i+len(null)]) == null {
		f.noTime = true
		i += len(null)
	} else {
		from := i
		for ; i < len(b) && b[i]-'0' <= 9; i++ {
			f.recv = f.recv*10 + int64(b[i]-'0')
		}
		if n := i - from; n == 0 || n > 18 && !(n == 19 && f.recv > 0) {
			return false
		}
	}
	b = b[i:]
	var ok bool
	if f.kind, b, ok = member(b, `,"kind":"`); !ok || len(f.kind) == 0 {
		return false
	}
	if f.conn, b, ok = member(b, `,"conn":"`); !ok {
		return false
	}
	if f.request, b, ok = member(b, `,"url":"`); !ok {
		return false
	}
	if f.request == nil {
		if f.request, b, ok = member(b, `,"req":"`); !ok {
			return false
		}
	}
	return tail(b, f)
}

// member takes one string member with that key off b, where it is next; nil when another member is next. ok is false
// when the string does not end or has escapes.
func member(b []byte, key string) (value, rest []byte, ok bool) {
	if len(b) < len(key) || string(b[:len(key)]) != key {
		return nil, b, true
	}
	b = b[len(key):]
	for i, c := range b {
		switch c {
		case '"':
			return b[:i:i], b[i+1:], true
		case '\\':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// tail takes the last member, msg, which may be missing. Only its first and last byte are looked at.
func tail(b []byte, f *fields) bool {
	const key = `,"msg":`
	if len(b) == 1 && b[0] == '}' {
		return true
	}
	if len(b) < len(key)+2 || string(b[:len(key)]) != key || b[len(b)-1] != '}' {
		return false
	}
	f.msg = b[len(key) : len(b)-1]
	first, last := f.msg[0], f.msg[len(f.msg)-1]
	switch first {
	case '{':
		return last == '}'
	case '[':
		return last == ']'
	}
	return false // strings, numbers and null are rare: the slow way checks them
}

// scanSlow reads a line with its members in any order, spaces and escapes. The line must be valid JSON.
func (r *Reader) scanSlow(b []byte, f *fields) bool {
	*f = fields{}
	if !valid(b) {
		return false
	}
	b = bytes.TrimSpace(b)
	if b[0] != '{' {
		return false
	}
	var kind, conn, url, req, recv []byte
	for b = space(b[1:]); b[0] != '}'; {
		n := valueLen(b)
		key := string(b[1 : n-1])
		b = space(space(b[n:])[1:]) // the colon
		n = valueLen(b)
		v := b[:n]
		switch key {
		case "recv_ns":
			recv = v
		case "kind":
			kind = v
		case "conn":
			conn = v
		case "url":
			url = v
		case "req":
			req = v
		case "msg":
			f.msg = v
		}
		if b = space(b[n:]); b[0] == ',' {
			b = space(b[1:])
		}
	}
	if string(f.msg) == "null" {
		f.msg = nil
	}
	if url == nil {
		url = req
	}
	f.kind, f.conn, f.request = textOf(kind), textOf(conn), textOf(url)
	return len(f.kind) > 0 && f.time(recv)
}

// depthMax is the nesting beyond which text is refused; the validator recurses once per level.
const depthMax = 256

// valid reports whether b is one JSON value of sane nesting.
func valid(b []byte) bool {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > depthMax {
				return false
			}
		case '}', ']':
			depth--
		}
	}
	return fastjson.ValidateBytes(b) == nil
}

// time reads recv_ns: an integer, or null. A line without the member is no line of a recording.
func (f *fields) time(b []byte) bool {
	if string(b) == "null" {
		f.noTime = true
		return true
	}
	v, err := fastjson.ParseBytes(b)
	if err != nil {
		return false
	}
	f.recv, err = v.Int64()
	return err == nil && f.recv >= 0
}

// valueLen is the length of the JSON value that b begins with. b is part of valid JSON.
func valueLen(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // a bare word or number before a closing bracket
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(b)
}

// space skips JSON white space.
func space(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

// textOf is the text of a JSON string or, for a bare value such as a number, the value as written; nil for null.
func textOf(b []byte) []byte {
	if len(b) == 0 || string(b) == "null" {
		return nil
	}
	if b[0] != '"' {
		return b
	}
	return unescape(nil, b)
}

// unescape appends the text of a JSON string, quotes included in s, to dst, with slack behind it.
func unescape(dst, s []byte) []byte {
	s = s[1 : len(s)-1]
	if bytes.IndexByte(s, '\\') < 0 {
		return grow(append(dst, s...))
	}
	v, err := fastjson.ParseBytes(append(append([]byte{'"'}, s...), '"'))
	if err != nil {
		return grow(append(dst, s...)) // unreachable for validated text; the raw text is the honest rest
	}
	return grow(append(dst, v.GetStringBytes()...))
}

// grow makes sure of slack behind b.
func grow(b []byte) []byte {
	if cap(b)-len(b) < wire.Slack {
		b = append(b, make([]byte, wire.Slack)...)[:len(b)]
	}
	return b
}

// interned keeps one copy of each short text that repeats on every line.
type interned struct{ seen map[string]string }

// internMax bounds what one file may make us remember; URLs with time stamps in them are not worth it.
const internMax = 4096

func (in *interned) of(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := in.seen[string(b)]; ok {
		return s
	}
	if in.seen == nil {
		in.seen = make(map[string]string)
	}
	s := string(b)
	if !utf8.ValidString(s) {
		s = string(bytes.ToValidUTF8(b, []byte{'?'}))
	}
	if len(in.seen) < internMax {
		in.seen[string(b)] = s
	}
	return s
}

// kind is of, with the usual answers first.
func (in *interned) kind(b []byte) string {
	if string(b) == WS {
		return WS
	}
	return in.of(b)
}
