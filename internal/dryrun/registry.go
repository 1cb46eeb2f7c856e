package dryrun

import (
	"context"
	"fmt"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
)

// askRegistry lists the registry's subjects. Whether it has the schemas that are needed, the records show.
func askRegistry(ctx context.Context, registry config.Registry) Check {
	const name = "registry"
	client, err := relay.Registry(registry, nil)
	if err != nil {
		return failed(name, err)
	}
	subjects, err := client.Subjects(ctx)
	if err != nil {
		return failed(name, fmt.Errorf("registry at %s: %w", registry.URL, err))
	}
	return ok(name, "%s has %d subjects", registry.URL, len(subjects))
}
