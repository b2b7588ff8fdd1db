package naive

import (
	"strconv"
	"time"

	"github.com/valyala/fastjson"
)

// Level is a price and a quantity at 10^-8.
type Level struct{ Price, Qty int64 }

// Update is what a decoder makes of one message.
type Update struct {
	Inst        int
	First, Last uint64
	At          time.Time
	CRC         uint64
	Bids, Asks  []Level
}

// Parser decodes with a good general parser, reused: fastjson, fields read from its tree, decimals converted by a byte
// loop, levels in reused slices, symbols looked up in a map.
type Parser struct {
	json    fastjson.Parser
	text    []byte
	Symbols map[string]int
	Update  Update
}

// NewParser knows these symbols, numbered from 1.
func NewParser(symbols ...string) *Parser {
	p := &Parser{Symbols: map[string]int{}}
	for i, s := range symbols {
		p.Symbols[s] = i + 1
	}
	return p
}

// scalar converts digits[.digits] to a count of 10^-8, a byte at a time.
func scalar(s []byte) (int64, bool) {
	var v int64
	i := 0
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		v = v*10 + int64(s[i]-'0')
	}
	if i == 0 || i > 10 {
		return 0, false
	}
	f := 0
	if i < len(s) {
		if s[i] != '.' {
			return 0, false
		}
		for i++; i < len(s); i++ {
			if s[i]-'0' > 9 || f == 8 {
				return 0, false
			}
			v = v*10 + int64(s[i]-'0')
			f++
		}
	}
	for ; f < 8; f++ {
		v *= 10
	}
	return v, true
}

// binance reads the levels of a depthUpdate's side.
func (p *Parser) side(list []*fastjson.Value, out []Level) ([]Level, bool) {
	for _, l := range list {
		pair := l.GetArray()
		if len(pair) != 2 {
			return out, false
		}
		price, ok1 := scalar(pair[0].GetStringBytes())
		qty, ok2 := scalar(pair[1].GetStringBytes())
		if !ok1 || !ok2 {
			return out, false
		}
		out = append(out, Level{price, qty})
	}
	return out, true
}

// Depth reads Binance's depthUpdate.
func (p *Parser) Depth(msg []byte) bool {
	v, err := p.json.ParseBytes(msg)
	if err != nil {
		return false
	}
	u := &p.Update
	u.Inst = p.Symbols[string(v.GetStringBytes("s"))]
	u.At = time.UnixMilli(v.GetInt64("E"))
	u.First, u.Last = v.GetUint64("U"), v.GetUint64("u")
	var ok1, ok2 bool
	u.Bids, ok1 = p.side(v.GetArray("b"), u.Bids[:0])
	u.Asks, ok2 = p.side(v.GetArray("a"), u.Asks[:0])
	return ok1 && ok2 && u.Inst != 0
}

// Ticker reads Binance's bookTicker.
func (p *Parser) Ticker(msg []byte) bool {
	v, err := p.json.ParseBytes(msg)
	if err != nil {
		return false
	}
	u := &p.Update
	u.Inst, u.Last = p.Symbols[string(v.GetStringBytes("s"))], v.GetUint64("u")
	bid, ok1 := scalar(v.GetStringBytes("b"))
	bidQty, ok2 := scalar(v.GetStringBytes("B"))
	ask, ok3 := scalar(v.GetStringBytes("a"))
	askQty, ok4 := scalar(v.GetStringBytes("A"))
	u.Bids, u.Asks = append(u.Bids[:0], Level{bid, bidQty}), append(u.Asks[:0], Level{ask, askQty})
	return ok1 && ok2 && ok3 && ok4 && u.Inst != 0
}

// Kraken reads a v2 book update, whose numbers are bare: fastjson keeps their text only for marshalling.
func (p *Parser) Kraken(msg []byte) bool {
	v, err := p.json.ParseBytes(msg)
	if err != nil || string(v.GetStringBytes("channel")) != "book" || string(v.GetStringBytes("type")) != "update" {
		return false
	}
	u := &p.Update
	for _, b := range v.GetArray("data") {
		u.Inst, u.CRC = p.Symbols[string(b.GetStringBytes("symbol"))], b.GetUint64("checksum")
		u.At, err = time.Parse(time.RFC3339Nano, string(b.GetStringBytes("timestamp")))
		if err != nil || u.Inst == 0 {
			return false
		}
		var ok1, ok2 bool
		u.Bids, ok1 = p.bare(b.GetArray("bids"), u.Bids[:0])
		u.Asks, ok2 = p.bare(b.GetArray("asks"), u.Asks[:0])
		if !ok1 || !ok2 {
			return false
		}
	}
	return true
}

func (p *Parser) bare(list []*fastjson.Value, out []Level) ([]Level, bool) {
	for _, l := range list {
		p.text = l.Get("price").MarshalTo(p.text[:0])
		price, ok1 := scalar(p.text)
		p.text = l.Get("qty").MarshalTo(p.text[:0])
		qty, ok2 := scalar(p.text)
		if !ok1 || !ok2 {
			return out, false
		}
		out = append(out, Level{price, qty})
	}
	return out, true
}

// Coinbase reads an l2_data update.
func (p *Parser) Coinbase(msg []byte) bool {
	v, err := p.json.ParseBytes(msg)
	if err != nil || string(v.GetStringBytes("channel")) != "l2_data" {
		return false
	}
	u := &p.Update
	u.Last = v.GetUint64("sequence_num")
	if u.At, err = time.Parse(time.RFC3339Nano, string(v.GetStringBytes("timestamp"))); err != nil {
		return false
	}
	for _, e := range v.GetArray("events") {
		if u.Inst = p.Symbols[string(e.GetStringBytes("product_id"))]; u.Inst == 0 || string(e.GetStringBytes("type")) != "update" {
			return false
		}
		u.Bids, u.Asks = u.Bids[:0], u.Asks[:0]
		for _, l := range e.GetArray("updates") {
			price, ok1 := scalar(l.GetStringBytes("price_level"))
			qty, ok2 := scalar(l.GetStringBytes("new_quantity"))
			if !ok1 || !ok2 {
				return false
			}
			if string(l.GetStringBytes("side")) == "bid" {
				u.Bids = append(u.Bids, Level{price, qty})
			} else {
				u.Asks = append(u.Asks, Level{price, qty})
			}
		}
	}
	return true
}

// text of a number.
func itoa(v int64) string { return strconv.FormatInt(v, 10) }
