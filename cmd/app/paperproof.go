package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"oneprice/engine/audit"
)

// PaperProof is how long a config has traded without risk, by audits that verify: in sessions of mode paper or demo that
// had its very text and ended in order.
type PaperProof struct {
	Asked    string `json:"asked"`
	Traded   string `json:"traded"`
	Sessions int    `json:"sessions"`
	// Below are the output folders whose audits were looked at.
	Below []string `json:"below"`
	// Faults are the audits that do not verify, which prove nothing.
	Faults []string `json:"faults,omitempty"`
	// Waiver is the operator's reason to go without.
	Waiver string `json:"waiver,omitempty"`

	asked, traded time.Duration
}

// proveOnPaper looks for the proof in the audits below output folders; a folder that is not there has none.
func proveOnPaper(c *Config, below []string, waiver string) PaperProof {
	p := PaperProof{Below: below, Waiver: strings.TrimSpace(waiver), asked: time.Duration(c.Live.PaperFor)}
	source := c.hash()
	for _, dir := range below {
		s, err := audit.Verify(filepath.Join(dir, string(c.Folders.Audit)))
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			p.Faults = append(p.Faults, dir+": "+err.Error())
			continue
		}
		for _, o := range s.Each {
			if o.Source == source && (o.Mode == modePaper || o.Mode == modeDemo) && !o.Ended.IsZero() {
				p.Sessions++
				p.traded += o.Ended.Sub(o.Began)
			}
		}
	}
	p.Asked, p.Traded = p.asked.String(), p.traded.Round(time.Millisecond).String()
	return p
}

// lacks says why the proof does not suffice, nil where it does or an operator has waived it.
func (p *PaperProof) lacks(config string) error {
	if p.traded >= p.asked || p.waived() != "" {
		return nil
	}
	faults := ""
	if len(p.Faults) > 0 {
		faults = "; what does not verify does not count (" + strings.Join(p.Faults, "; ") + ")"
	}
	return fmt.Errorf("%s has traded on paper for %s in all by the audits below %s, and its live.paper_for asks for %s%s; let oneprice run --config %s trade on paper first, name other folders with --paper, or give --waive REASON",
		config, p.Traded, strings.Join(p.Below, ", "), p.Asked, faults, config)
}

// waived is the waiver, where it was needed.
func (p *PaperProof) waived() string {
	if p.traded >= p.asked {
		return ""
	}
	return p.Waiver
}

// text says it for a person.
func (p *PaperProof) text() string {
	t := fmt.Sprintf("traded on paper for %s in %d sessions, of %s asked", p.Traded, p.Sessions, p.Asked)
	if p.waived() != "" {
		t += "; WAIVED by the operator: " + p.Waiver
	}
	return t
}
