package app

import (
	"embed"
	"path"
	"strings"
)

//go:embed examples/*.yaml
var examples embed.FS

// ExampleNames lists the example configs that the binary holds.
func ExampleNames() []string {
	entries, err := examples.ReadDir("examples")
	if err != nil {
		panic("config: the binary holds no examples: " + err.Error())
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), path.Ext(e.Name()))
	}
	return names
}

// exampleText is the example of that name.
func exampleText(name string) ([]byte, bool) {
	b, err := examples.ReadFile("examples/" + name + ".yaml")
	return b, err == nil
}

func exampleList() string { return strings.Join(ExampleNames(), ", ") }
