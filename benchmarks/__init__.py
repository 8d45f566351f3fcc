"""What shapeguard costs: one file per question, each with the limit that it must keep."""
