package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Config is the whole of a config file. Every field without "optional" must be there.
type Config struct {
	Reporting  Text                 `yaml:"reporting" want:"write the currency of every limit, such as USDT"`
	Wait       WaitPolicy           `yaml:"wait" want:"write how the engine waits: spin, park or inline"`
	Venues     Named[VenueConfig]   `yaml:"venues" want:"write each venue by name, with adapter, fees and latency"`
	Products   Named[ProductConfig] `yaml:"products" want:"write each product by name, with the instruments that are the same thing"`
	FX         Named[FXConfig]      `yaml:"fx,optional"`
	Balances   Named[Named[Amount]] `yaml:"balances" want:"write the opening balances by venue and currency, such as binance: {USDT: 100000}"`
	Limits     LimitsConfig         `yaml:"limits" want:"write the limits global, venues, products, instruments and strategies"`
	Strategies StrategiesConfig     `yaml:"strategies" want:"write the strategies, under arb and quoting"`
	Stops      Named[StopConfig]    `yaml:"stops,optional"`
	Rebalance  *RebalanceConfig     `yaml:"rebalance,optional"`
	Paper      PaperConfig          `yaml:"paper" want:"write how paper orders fill"`
	Folders    FoldersConfig        `yaml:"folders" want:"write the folders audit and tape"`
	Live       *LiveConfig          `yaml:"live,optional"`
	// Refresh is how often a venue is asked again what it lists, where its feed does not tell; a minute where it is left out.
	Refresh Span `yaml:"refresh,optional"`

	// Source is the text, Path where it came from.
	Source []byte
	Path   string
	// where is the line of each field that was present.
	where map[string]int
}

// VenueConfig is one venue, or one account at it.
type VenueConfig struct {
	Adapter Text          `yaml:"adapter" want:"write the adapter that speaks to it, such as binance"`
	Fees    FeesConfig    `yaml:"fees" want:"write the account's fees: maker, taker and charged"`
	Latency LatencyConfig `yaml:"latency" want:"write how long orders and answers travel, for paper: order, report"`
	// Account is what signs its orders when they are live; paper needs none.
	Account *AccountConfig `yaml:"account,optional"`
	// Feed is the form of its market data. The binary one is asked for with the account's key.
	Feed FeedFormat `yaml:"feed,optional"`
}

// FeesConfig is the fee tier of the account. Unknown means the worst tier of the venue's schedule.
type FeesConfig struct {
	Maker   SignedBps `yaml:"maker" want:"write the maker fee, such as 10bps; a rebate is negative"`
	Taker   ZeroBps   `yaml:"taker" want:"write the taker fee, such as 10bps"`
	Charged FeeIn     `yaml:"charged" want:"write the currency in which it is charged: settle, base or quote"`
}

// LatencyConfig is how long a paper order travels to the venue, and the venue's answer back.
type LatencyConfig struct {
	Order  Span `yaml:"order" want:"write a span, such as 5ms"`
	Report Span `yaml:"report" want:"write a span, such as 5ms"`
}

// ProductConfig is one underlying. Scales are chosen from ticks and lots where they are not given.
type ProductConfig struct {
	Instruments []Text  `yaml:"instruments" want:"list the instruments that are this product, such as [binance:BTCUSDT]"`
	PriceScale  *Digits `yaml:"price_scale,optional"`
	QtyScale    *Digits `yaml:"qty_scale,optional"`
}

// FXConfig is what one unit of a currency is worth in the reporting currency: a book, or the operator's word.
type FXConfig struct {
	Instrument Text        `yaml:"instrument,optional"`
	Rate       Factor      `yaml:"rate,optional"`
	Source     Text        `yaml:"source,optional"`
	Haircut    Bps         `yaml:"haircut" want:"write how far the rate is moved against us, such as 10bps"`
	MaxAge     Span        `yaml:"max_age,optional"`
	Peg        *PegsConfig `yaml:"peg,optional"`
}

// PegsConfig is the band that a pegged currency must stay in.
type PegsConfig struct {
	Low  Factor `yaml:"low" want:"write the lower end, such as 0.99"`
	High Factor `yaml:"high" want:"write the upper end, such as 1.01"`
}

// PaperConfig says how paper orders fill.
type PaperConfig struct {
	Queue QueueModel `yaml:"queue" want:"write where a resting order stands in its level's queue: back or pro_rata"`
}

// FoldersConfig names what a run writes, below its output folder.
type FoldersConfig struct {
	Audit Text `yaml:"audit" want:"write a folder name, such as audit"`
	Tape  Text `yaml:"tape" want:"write a folder name, such as tape"`
}

// ReadConfig reads a config file, or the shipped example of that name where there is no such file. facts, which may be
// nil, are the instruments that recordings brought; others must be in an adapter's own table.
func ReadConfig(path string, facts *Facts) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		example, known := exampleText(path)
		if !known {
			return nil, &UsageError{fmt.Errorf("config %s cannot be read (%w), and no example has that name; give the path of a file, or one of %s",
				path, err, strings.Join(ExampleNames(), ", "))}
		}
		b = example
	}
	return ParseConfig(path, b, facts)
}

// ParseConfig reads a config. The error is a ConfigError: every fault at once.
func ParseConfig(path string, text []byte, facts *Facts) (*Config, error) {
	c := &Config{Source: text, Path: path}
	w := &walker{where: map[string]int{}}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, &ConfigError{path, Faults{{Text: "the file is empty; print an example with: oneprice config example backtest"}}}
	case err != nil:
		return nil, &ConfigError{path, Faults{syntaxFault(err)}}
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		w.fault(0, "", "the file holds more than one document; keep one")
	}
	w.secrets(&doc)
	w.into(doc.Content[0], c, "")
	c.where = w.where
	w.meaning()
	c.validate(w, facts)
	if len(w.faults) > 0 {
		w.sort()
		return nil, &ConfigError{path, w.faults}
	}
	return c, nil
}

// sort puts faults in the order of their lines, those without a line last.
func (w *walker) sort() {
	sort.SliceStable(w.faults, func(i, j int) bool {
		a, b := w.faults[i].Line, w.faults[j].Line
		return a != 0 && (b == 0 || a < b)
	})
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxFault turns the parser's error into a Fault.
func syntaxFault(err error) Fault {
	m := yamlLine.FindStringSubmatch(err.Error())
	f := Fault{Text: "this is not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ") + "; mind indentation, colons and quotes"}
	if m != nil && m[1] != "" {
		f.Line, _ = strconv.Atoi(m[1]) // digits by the pattern
		f.Text = "this is not YAML: " + strings.TrimPrefix(err.Error(), m[0]) + "; mind indentation, colons and quotes"
	}
	return f
}

var (
	secretName = regexp.MustCompile(`(?i)(secret|api_?key|private|passphrase|password|passwd|token|mnemonic|credential|seed)`)
	// secretText is what keys look like: a PEM head, or a long run without spaces. plainText is what looks like one and is
	// none: an instrument's number, an address on a chain, a figure.
	secretText = regexp.MustCompile(`-----BEGIN|[A-Za-z0-9+_=]{32,}`)
	plainText  = regexp.MustCompile(`^([a-z0-9-]+:)?(0x[0-9a-fA-F]{40}|[0-9.]+|true|false)?$`)
	// reference is the place of a secret, whose own parts are words and folders; one as long as secretPart is a key still.
	reference  = regexp.MustCompile(`^(env:[A-Za-z_][A-Za-z0-9_]*|file:\.{0,2}/\S+)$`)
	secretPart = regexp.MustCompile(`[A-Za-z0-9+=]{40,}`)
)

// secrets refuses names, values and comments that look like keys. The value itself is never printed.
func (w *walker) secrets(n *yaml.Node) {
	const text = "this seems to be a secret; keep it out of the config, and change it if it was real"
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if secretName.MatchString(k.Value) && v.Kind == yaml.ScalarNode && !plainText.MatchString(v.Value) && !reference.MatchString(v.Value) {
				w.fault(k.Line, "", "%s", text)
			}
		}
	}
	if n.Kind == yaml.ScalarNode && secretLike(n.Value) || secretLike(n.HeadComment) || secretLike(n.LineComment) || secretLike(n.FootComment) {
		w.fault(n.Line, "", "%s", text)
	}
	for _, c := range n.Content {
		w.secrets(c)
	}
}

// secretLike reports whether text holds a run that mixes letters and digits as keys do.
func secretLike(text string) bool {
	if plainText.MatchString(text) {
		return false
	}
	runs := secretText
	if reference.MatchString(text) {
		runs = secretPart
	}
	for _, run := range runs.FindAllString(text, -1) {
		if strings.HasPrefix(run, "-") || strings.ContainsAny(run, "0123456789") && strings.Trim(run, "0123456789") != "" {
			return true
		}
	}
	return false
}
