<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** The server answered well by its status, but with something that is not what innoai answers. */
final class UnreadableAnswer extends APIError
{
}
