;; Keeps its memory to itself.
(memory 32769 32769)
