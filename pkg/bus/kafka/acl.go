package kafka

import (
	"context"
	"errors"
	"slices"
	"strings"

	kafka "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

// ACLs implements bus.Provisioner.
func (b *Bus) ACLs(ctx context.Context, principals ...string) (all []bus.ACL, err error) {
	err = b.retry(ctx, "kafka.ACLs", func(ctx context.Context) error {
		all = []bus.ACL{}
		for _, p := range principals {
			of, err := b.aclsOf(ctx, p)
			if err != nil {
				return err
			}
			all = append(all, of...)
		}
		return nil
	})
	return all, err
}

func (b *Bus) aclsOf(ctx context.Context, principal string) (all []bus.ACL, err error) {
	res, err := b.client.DescribeACLs(ctx, &kafka.DescribeACLsRequest{Filter: kafka.ACLFilter{
		ResourceTypeFilter: kafka.ResourceTypeAny, ResourcePatternTypeFilter: kafka.PatternTypeAny,
		PrincipalFilter: principal, Operation: kafka.ACLOperationTypeAny, PermissionType: kafka.ACLPermissionTypeAny,
	}})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return nil, b.noACLs("see rights (Describe on the cluster)", err)
	}
	for _, r := range res.Resources {
		for _, a := range r.ACLs {
			all = append(all, bus.ACL{
				Principal: a.Principal, Host: a.Host, Permission: a.PermissionType.String(), Operation: a.Operation.String(),
				Resource: r.ResourceType.String(), Pattern: r.PatternType.String(), Name: r.ResourceName,
			})
		}
	}
	return all, nil
}

// AddACLs implements bus.Provisioner.
func (b *Bus) AddACLs(ctx context.Context, acls ...bus.ACL) error {
	const op = "kafka.AddACLs"
	if err := b.retry(ctx, op, func(ctx context.Context) error { return b.createACLs(ctx, acls) }); err != nil {
		return err
	}
	var principals []string
	for _, a := range acls {
		if !slices.Contains(principals, a.Principal) {
			principals = append(principals, a.Principal)
		}
	}
	return b.retry(ctx, op, func(ctx context.Context) error {
		there, err := b.ACLs(ctx, principals...)
		if err != nil {
			return err
		}
		for _, a := range acls {
			if !slices.Contains(there, a) {
				return churn.Errorf(op, churn.Transient, "the broker does not know yet that %s may %s %s %s", a.Principal, a.Operation, a.Resource, a.Name)
			}
		}
		return nil
	})
}

// createACLs adds the ACLs. Kafka takes one that it has as it is.
func (b *Bus) createACLs(ctx context.Context, acls []bus.ACL) error {
	req := &kafka.CreateACLsRequest{}
	for _, a := range acls {
		e := kafka.ACLEntry{Principal: a.Principal, Host: a.Host, ResourceName: a.Name}
		err := errors.Join(
			e.PermissionType.UnmarshalText([]byte(a.Permission)), e.Operation.UnmarshalText([]byte(a.Operation)),
			e.ResourceType.UnmarshalText([]byte(a.Resource)), e.ResourcePatternType.UnmarshalText([]byte(a.Pattern)),
		)
		if err != nil {
			return churn.E("kafka.createACLs", churn.Invalid, err)
		}
		req.ACLs = append(req.ACLs, e)
	}
	if len(req.ACLs) == 0 {
		return nil
	}
	res, err := b.client.CreateACLs(ctx, req)
	if err != nil {
		return b.noACLs("make rights (Alter on the cluster)", err)
	}
	for _, err := range res.Errors {
		if err != nil {
			return b.noACLs("make rights (Alter on the cluster)", err)
		}
	}
	return nil
}

// noACLs says why there are none to see or to make.
func (b *Bus) noACLs(wish string, err error) error {
	switch {
	case errors.Is(err, kafka.SecurityDisabled):
		return churn.Errorf("kafka.ACLs", churn.Invalid,
			"broker at %s has no authorizer, and allows everyone everything: set authorizer.class.name there, such as to "+
				"org.apache.kafka.metadata.authorizer.StandardAuthorizer", strings.Join(b.config.Brokers, ","))
	case denial(err) != "":
		return b.unallowed(wish, err)
	}
	return err
}
