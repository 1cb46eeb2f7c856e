package topics_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/cjrelay/cjrelay/internal/topics"
)

func TestCopartitionedClicks(t *testing.T) {
	t.Parallel()
	together := names
	together.Copartitioned = true
	partitionsOf := func(findings []topics.Finding) (found []topics.Finding) {
		for _, f := range findings {
			if f.Setting == "partitions" {
				found = append(found, f)
			}
		}
		return found
	}
	t.Run("GetAsManyPartitionsAsTheOrders", func(t *testing.T) {
		t.Parallel()
		_, admin := setup(t)
		_, err := admin.CreateTopic(t.Context(), 6, 1, nil, orders)
		require.NoError(t, err)
		_, err = topics.Create(t.Context(), admin, together, 3, 1)
		require.NoError(t, err)
		details, err := admin.ListTopics(kadm.WithAuthorizedOps(t.Context()), clicks, dlq)
		require.NoError(t, err)
		require.Len(t, details[clicks].Partitions, 6)
		require.Len(t, details[dlq].Partitions, 3)
		findings, err := topics.Check(t.Context(), admin, together)
		require.NoError(t, err)
		require.Empty(t, bad(findings))
		require.Len(t, partitionsOf(findings), 1)
	})
	t.Run("MustHaveAsManyPartitionsAsTheOrders", func(t *testing.T) {
		t.Parallel()
		admin := created(t)
		added, err := admin.CreatePartitions(t.Context(), 2, clicks)
		require.NoError(t, err)
		require.NoError(t, added.Error())
		findings, err := topics.Check(t.Context(), admin, together)
		require.NoError(t, err)
		found := partitionsOf(findings)
		require.Len(t, found, 1)
		require.Equal(t, topics.Wrong, found[0].Status)
		require.ErrorContains(t, topics.Fatal(findings, together), "or set clicks.join to global")

		findings, err = topics.Check(t.Context(), admin, names)
		require.NoError(t, err)
		require.Empty(t, partitionsOf(findings), "any number will do where the join is global")
		require.NoError(t, topics.Fatal(findings, names))
	})
}
