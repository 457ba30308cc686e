package kafka

import "go.uber.org/zap"

func logPartition(p partition, err error) []zap.Field {
	return []zap.Field{zap.String("topic", p.topic), zap.Int("partition", p.id), zap.Error(err)}
}

func logOffsets(p partition, asked, given int64) []zap.Field {
	return []zap.Field{
		zap.String("topic", p.topic), zap.Int("partition", p.id),
		zap.Int64("asked", asked), zap.Int64("given", given),
	}
}
