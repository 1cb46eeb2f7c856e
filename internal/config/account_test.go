package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
)

func TestTheAccountIsTheConfigured(t *testing.T) {
	t.Parallel()
	require.Equal(t, postback.Advertiser{
		EnterpriseID: "77", Actions: map[string]string{"lead": "2"}, DefaultAction: "lead", Signature: "s3cr3t",
		AttributeNames: map[string]string{"ours": "theirs"}, MaxQueryBytes: 2048,
	}, CJ{
		EnterpriseID: "77", Actions: map[string]string{"lead": "2"}, DefaultAction: "lead", Signature: "s3cr3t",
		AttributeNames: map[string]string{"ours": "theirs"}, MaxQuery: 2048,
	}.Advertiser())
}
