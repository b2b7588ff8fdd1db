// oneprice is the trading engine's program; package app has all of it.
package main

import (
	"os"

	"oneprice/cmd/app"
)

func main() { os.Exit(app.Main(os.Args[1:], os.Stdout, os.Stderr)) }
