package dryrun

import (
	"context"
	"fmt"
	"net/http"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/cjrelay/cjrelay/internal/config"
)

// askRegistry lists the registry's subjects. Whether it has the schemas that are needed, the records show.
func askRegistry(ctx context.Context, registry config.Registry) Check {
	const name = "registry"
	client, err := sr.NewClient(sr.URLs(registry.URL), sr.HTTPClient(&http.Client{Timeout: registry.Timeout}))
	if err != nil {
		return failed(name, fmt.Errorf("registry.url: %w", err))
	}
	subjects, err := client.Subjects(ctx)
	if err != nil {
		return failed(name, fmt.Errorf("registry at %s: %w", registry.URL, err))
	}
	return ok(name, "%s has %d subjects", registry.URL, len(subjects))
}
