;; A memory that ends far below the areas.
(memory (export "memory") 1 1)
