<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 405: the route has no such method. */
final class MethodNotAllowed extends APIStatusError
{
}
