"""Operations on values over time: of points, areas and places."""
