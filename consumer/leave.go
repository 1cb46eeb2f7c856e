package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// leaveGrace is how long leaving the group may take at the end, for the client and again without it.
const leaveGrace = 2 * time.Second

// leave gives the group back its partitions and ends the client. A client that is joining the group leaves only when
// that is over, and the broker delays it for as long as a member that has died may still come back. Whoever left
// without a word meanwhile would be the next such member: so the coordinator is told once the client is gone.
func (c *Consumer) leave() {
	leaving, cancel := context.WithTimeout(context.Background(), leaveGrace)
	defer cancel()
	err := c.client.LeaveGroupContext(leaving)
	member, _ := c.client.GroupMetadata()
	c.abort()
	c.client.Close()
	// Close leaves once more, does not wait for it as its context has ended, and polls what is buffered: where the
	// leaving comes second, it waits for that poll to be over.
	c.client.AllowRebalance()
	if err != nil && member != "" {
		err = c.leaveAs(member)
	}
	if err != nil {
		c.config.Log.Warn("the group could not be left; it finds out by itself", "group", c.config.Group, "error", err)
	}
}

// leaveAs takes a member out of the group. A static one stays, as it is to come back.
func (c *Consumer) leaveAs(member string) error {
	if c.config.InstanceID != "" {
		return nil
	}
	client, err := kgo.NewClient(c.config.Client...)
	if err != nil {
		return err
	}
	defer client.Close()
	leaving, cancel := context.WithTimeout(context.Background(), leaveGrace)
	defer cancel()
	request := kmsg.NewPtrLeaveGroupRequest()
	// Brokers of before Kafka 2.4 read the first, all others the second.
	request.Group, request.MemberID = c.config.Group, member
	leaver := kmsg.NewLeaveGroupRequestMember()
	leaver.MemberID = member
	request.Members = append(request.Members, leaver)
	response, err := request.RequestWith(leaving, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(response.ErrorCode)
}
