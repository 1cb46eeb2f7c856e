package main

import (
	"context"
	"fmt"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/letters"
)

// dlqExportCmd is `cjrelay dlq export`.
type dlqExportCmd struct {
	configFlag
	dlqChoice
	Dir    string   `arg:"" help:"The folder to write to, empty or not there yet."`
	Letter []string `arg:"" optional:"" help:"Letters, named as for show; without any, all that wait, or those of them that the flags mean."`
	Raw    bool     `help:"Needed, since the files hold what the orders hold: click ids and what else is private."`
}

// Run writes the files.
func (c *dlqExportCmd) Run(ctx context.Context, stdio *stdio) error {
	if !c.Raw {
		return &usageError{"the files of an export hold the orders' original bytes, click ids and what else is private: say --raw to write them"}
	}
	selection, err := c.selection()
	if err != nil {
		return err
	}
	selection.Named = c.Letter
	d, err := openDesk(ctx, c.configFlag, stdio)
	if err != nil {
		return err
	}
	defer d.close()
	chosen, err := d.choose(selection)
	if err != nil {
		return err
	}
	extension := "avro"
	if d.config.Orders.Format == config.JSON {
		extension = "json"
	}
	written, err := d.box.Export(ctx, chosen, c.Dir, extension)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdio.Out, "orders written to %s: %d\n", c.Dir, len(written))
	if without := withoutValue(chosen); without > 0 {
		fmt.Fprintf(stdio.Err, "left out, as the dead-letter topic did not take their value: %d\n", without)
	}
	fmt.Fprintf(stdio.Err, "mend the files, then: cjrelay dlq redrive --mended %s\n", c.Dir)
	return nil
}

func withoutValue(chosen []letters.Letter) (n int) {
	for _, l := range chosen {
		if !l.HasValue() {
			n++
		}
	}
	return n
}
